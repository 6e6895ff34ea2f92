"""Errors under `/v1/messages` in Anthropic's own shape, so that its clients raise the same errors as for Anthropic."""

import json
from collections.abc import Mapping
from typing import Any, Final

_FAULT: Final = 500
_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
"""https://docs.anthropic.com/en/api/errors; its own status for `overloaded_error` is 529."""


def anthropic_error(
    status: int, code: str, message: str, *, param: str | None = None, more: Mapping[str, Any] | None = None
) -> bytes:
    """The body of an answer. Beside Anthropic's fields it has those of our error in OpenAI's shape."""
    kind = _TYPES.get(status) or ("invalid_request_error" if status < _FAULT else "api_error")
    error = {"type": kind, "message": message, "param": param, "code": code, **(more or {})}
    return json.dumps({"type": "error", "error": error}).encode()
