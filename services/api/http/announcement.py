"""A header in every answer that says what is simulated in this installation."""

from collections.abc import Sequence
from typing import Final

from litestar.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "X-Coldstart-Simulated"


def announced(app: ASGIApp, parts: Sequence[str]) -> ASGIApp:
    """`app` with a header in every answer that says what is simulated; `app` itself if nothing is."""
    if not parts:
        return app
    header = (HEADER.lower().encode(), ", ".join(sorted(set(parts))).encode())

    async def announcing(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], header]
            await send(message)

        await app(scope, receive, send_with_header)

    return announcing
