"""The OpenAPI document: Litestar's description of the routes, completed by what Litestar does not know."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache
from typing import Any, Final, cast

from litestar import Litestar, Request, Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    PathItem,
    Reference,
    Schema,
    SecurityScheme,
)
from litestar.routes import HTTPRoute
from litestar.status_codes import HTTP_404_NOT_FOUND

from services.api.admission.deployment_body import LONGEST_NAME
from services.api.control.authorization import OPEN
from services.api.control.openapi import answers, inference
from services.api.control.openapi.models import schemas
from services.api.control.openapi.page import SchemaPage
from services.api.control.problems import not_found
from services.api.http.problem import PROBLEM_JSON
from services.api.http.session_cookie import COOKIE

_DESCRIPTION: Final = (
    "A model id and a GPU instance type go in, an OpenAI-compatible endpoint comes out. Errors are problem documents "
    "(RFC 9457) with a stable `code`; under /v1 they have OpenAI's shape, under /v1/messages Anthropic's."
)
_VERSION: Final = "1"
"""The version of this API, not of the program: it changes when clients have to."""
_NO_NULL: Final = "^[^\\u0000]*$"
_EVENT_STREAM: Final = "text/event-stream"
_IDS: Final = "_id"
_NAMES: Final[dict[str, dict[str, Any]]] = {
    "slug": {"pattern": "^[a-z0-9][a-z0-9-]*$", "max_length": 63},
    "code": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "max_length": 100},
    "name": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "max_length": LONGEST_NAME},
}
"""Patterns of names in addresses, besides UUIDs: anything else names nothing."""


class _Once(OpenAPIRenderPlugin):
    """Completes the document and caches the first rendering: each takes part of a second, and needs no key.

    Nothing of that is done at the start, for most processes are never asked.
    """

    def __init__(self, plugin: OpenAPIRenderPlugin, completed: Callable[[Litestar], dict[str, Any]]) -> None:
        super().__init__(path=plugin.paths, media_type=plugin.media_type, favicon="", style="")
        self._plugin = plugin
        self._completed = completed
        self._rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        if self._rendered is None:
            self._rendered = self._plugin.render(request, self._completed(request.app))
        return self._rendered


def openapi_config() -> OpenAPIConfig:
    """Everything is served from here; neither the page nor the documents need another host."""
    once = cache(completed)
    anthropic = "A key of this API under /v1/messages, as Anthropic's clients send it."
    session = "The console's own, for its pages; what changes something needs `X-CSRF-Token` besides."
    return OpenAPIConfig(
        title="Coldstart",
        version=_VERSION,
        description=_DESCRIPTION,
        security=[{"key": []}, {"session": []}],
        components=Components(
            security_schemes={
                "key": SecurityScheme(type="http", scheme="bearer"),
                inference.ANTHROPIC_KEY: SecurityScheme(
                    type="apiKey", name=inference.ANTHROPIC_KEY, security_scheme_in="header", description=anthropic
                ),
                "session": SecurityScheme(type="apiKey", name=COOKIE, security_scheme_in="cookie", description=session),
            }
        ),
        render_plugins=[_Once(plugin, once) for plugin in (SchemaPage(), JsonRenderPlugin(), YamlRenderPlugin())],
        openapi_router=Router("/schema", route_handlers=[], opt=OPEN, include_in_schema=False, after_request=_missing),
    )


def completed(control: Litestar) -> dict[str, Any]:
    """The document of `control` with who may use a route, its refusals, its bodies, and `/v1`. Call it once."""
    document = control.openapi_schema
    described = list(_described(control))
    for handler, method, operation in described:
        _complete(operation, handler, method)
    models = schemas((handler for handler, _, _ in described), answers.ProblemDocument)
    document.components.schemas |= cast("dict[str, Schema]", models | inference.SCHEMAS)
    document.components.responses = dict(answers.common(PROBLEM_JSON, answers.PROBLEM))
    assert document.paths is not None  # noqa: S101  there are routes
    document.paths |= cast("dict[str, PathItem]", inference.PATHS)
    return document.to_schema()


def _described(control: Litestar) -> Iterator[tuple[HTTPRouteHandler, str, Operation]]:
    paths = control.openapi_schema.paths or {}
    for route in control.routes:
        if isinstance(route, HTTPRoute) and route.path_format in paths:
            for method, (handler, _) in route.route_handler_map.items():
                operation = getattr(paths[route.path_format], method.lower(), None)
                if isinstance(operation, Operation):
                    yield handler, method, operation


def _complete(operation: Operation, handler: HTTPRouteHandler, method: str) -> None:
    parameters = [one for one in operation.parameters or () if isinstance(one, Parameter)]
    for parameter in parameters:
        _complete_parameter(parameter)
    if handler.opt.get("access") == OPEN["access"]:
        operation.security = []
    own = {status: answer for status, answer in (operation.responses or {}).items() if status != "400"}
    if handler.media_type == _EVENT_STREAM:
        own["200"] = OpenAPIResponse("Events, until either side leaves", content={_EVENT_STREAM: OpenAPIMediaType()})
    places = {one.name: one.param_in for one in parameters}
    common = {str(status) for status in answers.of(handler, method, places)}
    operation.responses = own | {
        status: Reference(ref=f"#/components/responses/{status}") for status in sorted(common - own.keys())
    }


def _complete_parameter(parameter: Parameter) -> None:
    schema = parameter.schema
    if not isinstance(schema, Schema):
        return
    _never_null(schema)
    if parameter.param_in == "path" and parameter.name.endswith(_IDS):
        schema.format = cast("Any", "uuid")
    for name, value in _NAMES.get(parameter.name, {}).items() if parameter.param_in == "path" else ():
        setattr(schema, name, value)
    if parameter.param_in == "query" and schema.type is OpenAPIType.STRING:
        schema.pattern = schema.pattern or (_NO_NULL if schema.format is schema.enum is schema.any_of is None else None)


def _never_null(schema: Schema) -> None:
    """A parameter may be omitted, but a query cannot contain a null."""
    one = [each for each in schema.one_of or () if isinstance(each, Schema) and each.type is not OpenAPIType.NULL]
    if len(one) == 1:
        schema.one_of = None
        for field in fields(one[0]):
            if (value := getattr(one[0], field.name)) is not None:
                setattr(schema, field.name, value)


def _missing(response: Response[Any]) -> Response[Any]:
    """Replaces Litestar's own page for a missing address."""
    return not_found().response() if response.status_code == HTTP_404_NOT_FOUND else response
