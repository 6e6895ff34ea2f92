"""A header that says in every answer what of this installation is simulated."""

from collections.abc import Sequence
from typing import Final

from litestar.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "X-Coldstart-Simulated"


def announced(app: ASGIApp, parts: Sequence[str]) -> ASGIApp:
    """Every answer of `app` tells in a header what is simulated; where nothing is, it is `app` itself."""
    if not parts:
        return app
    header = (HEADER.lower().encode(), ", ".join(sorted(set(parts))).encode())

    async def announcing(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], header]
            await send(message)

        await app(scope, receive, told)

    return announcing
