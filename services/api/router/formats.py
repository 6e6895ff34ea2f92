"""How an error looks to the client that asked: as a whole answer, and as the last event of a stream."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from services.api.http.anthropic_error import anthropic_error
from services.api.http.error_formats import ErrorFormat
from services.api.http.inference_paths import is_anthropic_s
from services.api.http.openai_error import openai_error
from services.api.http.statuses import LOWEST_ERROR
from services.api.router.refusal import Refusal

RESPONSES: Final = "/v1/responses"
_SHOWN: Final = 500


@dataclass(frozen=True, slots=True)
class Format:
    """`is_error`: whether a JSON document is an error in this shape. `frame` makes a server-sent event of one.

    `frame` gets the document, and the number of events before it.
    """

    error: ErrorFormat
    is_error: Callable[[Any], bool]
    frame: Callable[[bytes, int], bytes]

    def body(self, refused: Refusal) -> bytes:
        return self.error(refused.status, refused.code, refused.message, param=refused.param, more=refused.more)

    def event(self, refused: Refusal, *, after: int = 0) -> bytes:
        """The refusal as a server-sent event; `after` events came before it."""
        return self.frame(self.body(refused), after)

    def whole(self, status: int, body: bytes) -> bytes:
        """A worker's whole answer as one event, for a client whose stream has begun and cannot get the status."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if self.is_error(document):
            return self.frame(body, 0)
        if status < LOWEST_ERROR and body:
            return _unnamed(body, 0)
        text = _message(document) or body[:_SHOWN].decode(errors="replace").strip()
        message = f"The worker answered {status}: {text}" if text else f"The worker answered {status} with no body."
        return self.event(Refusal(status if status >= LOWEST_ERROR else 502, "worker_failed", message))


def _has_error(document: Any) -> bool:
    return isinstance(document, dict) and bool(document.get("error"))


def _has_error_object(document: Any) -> bool:
    return _has_error(document) and isinstance(document["error"], dict)


def _is_anthropic_s_error(document: Any) -> bool:
    return _has_error_object(document) and document.get("type") == "error"


def _message(document: Any) -> str | None:
    message = document["error"].get("message") if _has_error_object(document) else None
    return message[:_SHOWN] if isinstance(message, str) else None


def _unnamed(body: bytes, _: int) -> bytes:
    """OpenAI's clients raise an error for any event with a field `error`."""
    return b"data: " + body.replace(b"\n", b"\ndata: ") + b"\n\n"


def _named(body: bytes, number: int) -> bytes:
    """As https://docs.anthropic.com/en/docs/build-with-claude/streaming#error-events says."""
    return b"event: error\n" + _unnamed(body, number)


def _of_a_response(body: bytes, number: int) -> bytes:
    """As https://platform.openai.com/docs/api-reference/responses-streaming/error says, and in `error` again.

    OpenAI's clients take the documented event for one like any other. They raise an error only for `error`.
    """
    error = json.loads(body)["error"]
    fields = {name: error.get(name) for name in ("code", "message", "param")}
    event = {"type": "error", **fields, "sequence_number": number, "error": error}
    return _named(json.dumps(event).encode(), number)


_OPENAI: Final = Format(openai_error, _has_error, _unnamed)
_RESPONSES: Final = Format(openai_error, _has_error_object, _of_a_response)
_ANTHROPIC: Final = Format(anthropic_error, _is_anthropic_s_error, _named)


def format_of(path: str) -> Format:
    if path == RESPONSES:
        return _RESPONSES
    return _ANTHROPIC if is_anthropic_s(path) else _OPENAI
