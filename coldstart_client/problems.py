"""A refusal of the api as an error: problem documents (RFC 9457), and what proxies answer in their place."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx

from coldstart_client import errors
from coldstart_client.errors import ApiError, WrongField

BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    **dict.fromkeys((400, 405, 408, 413, 414, 415, 422, 431), errors.InvalidRequest),
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    412: errors.PreconditionFailed,
    429: errors.RateLimited,
    500: errors.ServerFault,
    502: errors.UpstreamFailed,
    503: errors.Unavailable,
    504: errors.Unfinished,
}
_BY_CODE: Final[Mapping[str, type[ApiError]]] = {"limit_reached": errors.LimitReached}
_KNOWN: Final = frozenset({"type", "title", "status", "detail", "code", "errors"})
_FAULTS_FROM: Final = 500


def error_of(response: httpx.Response) -> ApiError:
    """The error of a response that is one, and whose body was read."""
    status = response.status_code
    document = _document(response)
    code, title = str(document.get("code", "")), document.get("title") or f"{status} {response.reason_phrase}".strip()
    general = errors.ServerFault if status >= _FAULTS_FROM else errors.InvalidRequest
    kind = _BY_CODE.get(code) or BY_STATUS.get(status, general)
    return kind(
        str(title),
        status=status,
        code=code,
        hint=str(document.get("detail", "")),
        wrong_fields=tuple(_wrong_fields(document.get("errors"))),
        retry_after=_seconds(response.headers.get("Retry-After")),
        figures={name: value for name, value in document.items() if name not in _KNOWN},
    )


def _document(response: httpx.Response) -> Mapping[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _wrong_fields(wrong: Any) -> Iterator[WrongField]:
    for error in wrong if isinstance(wrong, list) else ():
        match error:
            case {"pointer": str(pointer), "detail": str(detail)}:
                yield WrongField(pointer, detail)


def _seconds(retry_after: str | None) -> float | None:
    """The api names seconds; a proxy may name a date, which counts as nothing."""
    try:
        return None if retry_after is None else max(float(retry_after), 0.0)
    except ValueError:
        return None
