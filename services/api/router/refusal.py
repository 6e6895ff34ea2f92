"""Every error of the router: its own, and those of the rooms below. The path decides their shape (`formats.py`)."""

from collections.abc import Mapping
from typing import Any, Final

from litestar.types import Send

from services.api.access.errors import KeyNeeded
from services.api.http import kinds
from services.api.refusals import Refused

_INVALID_KEY: Final = (
    "Send a valid API key as 'Authorization: Bearer KEY', or under /v1/messages as 'x-api-key: KEY'. An administrator "
    "makes keys."
)
OPENAI_S: Final[Mapping[type[Refused], tuple[str, str]]] = {KeyNeeded: ("invalid_api_key", _INVALID_KEY)}
"""Codes that OpenAI's clients know, with their messages."""


class Refusal(Exception):
    """`code` is stable; `more` are further fields of the error."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = headers or {}
        self.more = more or {}


def of(refused: Refused) -> Refusal:
    """The error for a room's refusal."""
    code, message = OPENAI_S.get(type(refused), (refused.code, refused.detail))
    status, headers = kinds.STATUS[refused.kind], kinds.headers(refused)
    return Refusal(status, code, message, headers=headers, more=refused.figures)


async def send_json(send: Send, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    """A whole response."""
    own = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in own.items()]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})
