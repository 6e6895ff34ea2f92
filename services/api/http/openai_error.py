"""Errors under `/v1` in OpenAI's own shape, so that its clients raise the same errors as for OpenAI itself."""

import json
from collections.abc import Mapping
from typing import Any, Final

_FAULT: Final = 500
_TYPES: Final[Mapping[int, str]] = {429: "rate_limit_error"}


def openai_error(
    status: int, code: str, message: str, *, param: str | None = None, more: Mapping[str, Any] | None = None
) -> bytes:
    """The body of an answer. `param` is the field concerned, `more` are further fields of the error."""
    kind = _TYPES.get(status) or ("invalid_request_error" if status < _FAULT else "server_error")
    error = {"message": message, "type": kind, "param": param, "code": code, **(more or {})}
    return json.dumps({"error": error}).encode()
