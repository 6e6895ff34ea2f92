"""The server ends orderly however its block ends."""

import asyncio
from urllib.parse import urlsplit

import httpx
import pytest
from litestar.types import Receive, Scope, Send

from services.api.server import serving


async def test_what_is_being_answered_when_the_block_fails_is_answered_and_nothing_listens_any_more() -> None:
    asked, stopping = asyncio.Event(), asyncio.Event()

    async def answer(_: Scope, __: Receive, send: Send) -> None:
        asked.set()
        await stopping.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})

    async with httpx.AsyncClient(timeout=10) as client:
        with pytest.RaisesGroup(ZeroDivisionError):
            async with serving(answer, "127.0.0.1", 0, grace_s=5, on_leaving=stopping.set) as url:
                asking = asyncio.create_task(client.get(url))
                await asked.wait()
                raise ZeroDivisionError
        assert (await asking).text == "ok"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
