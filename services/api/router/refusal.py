"""Errors under `/v1` in OpenAI's own shape, so that its clients raise what they raise for OpenAI itself."""

import json
from collections.abc import Mapping
from typing import Any, Final

from litestar.types import Send

_FAULT: Final = 500
_KINDS: Final[Mapping[int, str]] = {429: "rate_limit_error"}


class Refusal(Exception):
    """`code` is stable; `more` are further fields of the error for who looks at them."""

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

    def body(self) -> bytes:
        kind = _KINDS.get(self.status) or ("invalid_request_error" if self.status < _FAULT else "server_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code, **self.more}
        return json.dumps({"error": error}).encode()

    async def send(self, send: Send) -> None:
        await send_json(send, self.status, self.body(), self.headers)


async def send_json(send: Send, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    """A whole response."""
    own = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in own.items()]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})
