"""The answers that any operation may give, in one place; a route declares only its own refusals."""

from collections.abc import Iterator, Mapping
from typing import Final

from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIHeader, OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Reference, Schema
from pydantic import BaseModel, ConfigDict, Field

from services.api.control.authorization import ANY_KEY, OPEN
from services.api.http.kinds import STATUS
from services.api.http.problem import PROBLEM_JSON
from services.api.refusals import FieldError, Kind

_OF_ONE: Final = frozenset({"organization"})
"""Parameters that name something that may not exist, or not for this key."""
_CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class ProblemDocument(BaseModel):
    """RFC 9457. `code` is stable and the last part of `type`; some codes come with further fields."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = Field(default=[], description="What is wrong where, of an invalid request.")


PROBLEM: Final = Reference(ref=f"#/components/schemas/{ProblemDocument.__name__}")
COMMON: Final[Mapping[int, str]] = {
    400: "The body is no JSON, or the request is no HTTP that can be understood",
    401: "There is no valid key",
    403: "This key may not do that, or a console's session did not prove that its own page asks",
    404: "There is no such thing, or not for this key",
    408: "The request did not come within its time",
    413: "The body is too large",
    414: "The address is too long",
    415: "The content type is not JSON",
    422: "A parameter or a field is not valid",
    429: "Too much was asked; `Retry-After` says when to ask again",
    431: "The request's head is too large",
    500: "A fault of ours, which is in the log of the api service",
    503: "The database or the event stream does not answer, or there are too many connections",
}
_HEADERS: Final[Mapping[int, str]] = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
"""The header that answers with this status always have."""


def refusals(reasons: Mapping[Kind, str]) -> dict[int, ResponseSpec]:
    """A route's own refusals, by status."""
    return {
        STATUS[kind]: ResponseSpec(ProblemDocument, description=why, media_type=PROBLEM_JSON, generate_examples=False)
        for kind, why in reasons.items()
    }


def header(name: str, description: str) -> ResponseHeader:
    """A header that a route sets."""
    return ResponseHeader(name=name, description=description, documentation_only=True, value="")


def common(media_type: str, schema: Reference | Schema) -> dict[str, OpenAPIResponse]:
    """The common answers by status, with a body of this kind."""
    return {
        str(status): OpenAPIResponse(why, content={media_type: OpenAPIMediaType(schema)}, headers=_headers(status))
        for status, why in COMMON.items()
    }


def of(handler: HTTPRouteHandler, method: str, parameters: Mapping[str, str]) -> Iterator[int]:
    """Which of the common answers an operation may give; `parameters` are its own, each with its place."""
    access = handler.opt.get("access")
    keyed = access != OPEN["access"]
    yield from (400, 408, 413, 414, 422, 431, 500, 503)
    if keyed:
        yield from (401, 429)
    if keyed and (access != ANY_KEY["access"] or method in _CHANGES):
        yield 403
    if "path" in parameters.values() or not _OF_ONE.isdisjoint(parameters):
        yield 404
    if "data" in handler.parsed_fn_signature.parameters:
        yield 415


def _headers(status: int) -> dict[str, OpenAPIHeader | Reference] | None:
    name = _HEADERS.get(status)
    return {name: OpenAPIHeader(schema=Schema(type=OpenAPIType.STRING), required=True)} if name else None
