"""Ends what is done for a client that has left."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from services.api.http.front.leaving import leaving_of


class WhileConnected:
    """`async with`: if the client of this request leaves, the block is cancelled and just ends.

    The request's body must have been read, since a client that is not read from cannot be seen to leave.
    """

    __slots__ = ("_leaving", "_over", "_task", "left")

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._leaving = leaving_of(scope)
        self._over = False
        self.left = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  this is awaited
        self._task = task
        self._leaving(self._leave)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._over = True
        if not self.left:
            return False
        if kind is None:  # cancelled after its last await: the cancellation is still to come
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        return self._task.uncancel() == 0 and kind in (None, asyncio.CancelledError)

    def _leave(self) -> None:
        if not (self._over or self.left):
            self.left = True
            self._task.cancel()
