"""Checks of every request, so that no route has to do them."""

from typing import Any, Final

from litestar import Request

from services.api.control.problems import malformed_json, unsupported_media_type
from services.api.refusals import FieldError, invalid

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def checked(request: Request[Any, Any, Any]) -> None:
    """Raises Invalid, Problem."""
    _no_null(request)
    _only_json(request)


def _no_null(request: Request[Any, Any, Any]) -> None:
    """PostgreSQL's text cannot contain a null character, so no name has one."""
    for name, value in request.query_params.multi_items():
        if "\0" in name or "\0" in value:
            raise invalid(FieldError(pointer=name, detail="a null character is not allowed."))


def _only_json(request: Request[Any, Any, Any]) -> None:
    """Litestar would read any body as JSON, whatever its content type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    if "data" in request.route_handler.parsed_fn_signature.parameters and not has_body:
        raise malformed_json("The body is empty")
    if request.method in _WITH_BODY and has_body and kind != "application/json":
        raise unsupported_media_type(kind, "JSON, as 'Content-Type: application/json'")
