"""Lets pages of other origins ask for inference, if a setting names these origins (https://fetch.spec.whatwg.org).

Litestar's own middleware needs its application, and inference is beside that. So only its configuration is used here.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from litestar.config.cors import CORSConfig
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_READABLE: Final = (
    *("retry-after", "x-coldstart-fallback", "x-coldstart-instance", "x-coldstart-model", "x-coldstart-rule"),
    *("x-request-id", "x-should-retry"),
    *(f"x-ratelimit-{what}-{kind}" for what in ("limit", "remaining", "reset") for kind in ("requests", "tokens")),
)
"""The headers of an answer that a page may read, besides those that it may read anyway."""


def with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """`app` for pages of these origins, too; `app` itself if there are none.

    No page may send cookies: it needs a key.
    """
    if not origins:
        return app
    config = CORSConfig(allow_origins=list(origins), allow_methods=["GET", "POST"], expose_headers=list(_READABLE))

    async def with_headers(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if not origin or not config.is_origin_allowed(origin):
            await app(scope, receive, send)
        elif scope.get("method") == "OPTIONS" and b"access-control-request-method" in headers:
            fields = _fields(config.preflight_headers, origin)
            if (wanted := headers.get(b"access-control-request-headers")) is not None:
                fields.append((b"access-control-allow-headers", wanted))
            await send({"type": "http.response.start", "status": 204, "headers": fields})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *_fields(config.simple_headers, origin)]
                await send(message)

            await app(scope, receive, sending)

    return with_headers


def _fields(headers: Mapping[str, str], origin: str) -> list[tuple[bytes, bytes]]:
    """With the one origin that asks, unless every origin is allowed."""
    whole = {"Access-Control-Allow-Origin": origin, "Vary": "Origin", **headers}
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in whole.items()]
