"""The blocking client with the asynchronous one's face, so that one suite holds both."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator
from typing import Any, Final, Self

from coldstart_client import AsyncClient, Client

_OVER: Final = object()


class InThreads:
    """What it wraps, each call of which runs in a thread, so that the api in this process can answer it."""

    def __init__(self, blocking: Any) -> None:
        self._blocking = blocking

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._blocking, name)
        if inspect.isgeneratorfunction(found):
            return lambda *given, **more: _generated(found(*given, **more))
        if inspect.ismethod(found):
            return lambda *given, **more: asyncio.to_thread(found, *given, **more)
        return InThreads(found) if type(found).__module__.startswith("coldstart_client.blocking") else found

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._blocking.close)


def in_threads(*given: Any, **more: Any) -> AsyncClient:
    """A blocking client that is used like an asynchronous one."""
    client: Any = InThreads(Client(*given, **more))
    return client  # type: ignore[no-any-return]  # it has the same methods


async def _generated(generator: Generator[Any]) -> AsyncGenerator[Any]:
    try:
        while (item := await asyncio.to_thread(next, generator, _OVER)) is not _OVER:
            yield item
    finally:
        await asyncio.to_thread(generator.close)
