"""What uvicorn reports to a raw ASGI application about its client."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from litestar.types import Receive


def _never() -> bool:
    return False


class WhileConnected:
    """`async with`: if the client leaves, the block is cancelled and just ends.

    The request's body must have been read, so that the next message from `receive` is the disconnect. uvicorn reports
    the end of an answer in the same way, so `ended` says whether it is only that.
    """

    def __init__(self, receive: Receive, ended: Callable[[], bool] = _never) -> None:
        self._receive = receive
        self._ended = ended
        self._over = False
        self.left = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  this is awaited
        self._task = task
        self._leaving = asyncio.ensure_future(_disconnected(self._receive))
        self._leaving.add_done_callback(self._notice)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._over = True
        self._leaving.cancel()
        if not self.left:
            return False
        if kind is None:  # cancelled after its last await: the cancellation is still to come
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        return self._task.uncancel() == 0 and kind in (None, asyncio.CancelledError)

    def _notice(self, leaving: asyncio.Future[None]) -> None:
        if not (self._over or leaving.cancelled() or self._ended()):
            self.left = True
            self._task.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
