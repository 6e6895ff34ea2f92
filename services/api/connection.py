"""What uvicorn tells a raw ASGI application about its client."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from litestar.types import Receive


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`, but not for a client that has gone: then it is cancelled where it stands.

    The request's body must have been read: what comes next from `receive` is the disconnect.
    """
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not doing.done():
            doing.cancel()
        await asyncio.wait({doing, leaving})
    if not doing.cancelled():
        doing.result()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
