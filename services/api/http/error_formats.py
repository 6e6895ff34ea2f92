"""The shape of an error for the client that asked, which follows from the path."""

from collections.abc import Mapping
from typing import Any, Protocol

from services.api.http.anthropic_error import anthropic_error
from services.api.http.inference_paths import is_anthropic_s
from services.api.http.openai_error import openai_error


class ErrorFormat(Protocol):
    """Makes the body of an answer. `param` is the field concerned, `more` are further fields of the error."""

    def __call__(
        self, status: int, code: str, message: str, *, param: str | None = None, more: Mapping[str, Any] | None = None
    ) -> bytes: ...


def error_format(path: str) -> ErrorFormat:
    return anthropic_error if is_anthropic_s(path) else openai_error
