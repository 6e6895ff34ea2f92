"""The followers' server, restarted whenever it ends. The stack continues, whatever followers do to this server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

import structlog

from coldstart.embedded.errors import EmbeddedServerError
from coldstart.embedded.nats import FollowersNats
from shared.retry import retried_for_ever

_PAUSE_S: Final = 1.0

log = structlog.get_logger()


@asynccontextmanager
async def followers_server(data_dir: Path) -> AsyncIterator[FollowersNats]:
    """Raises EmbeddedServerError if the first start fails. Enter it in the event loop's thread."""
    started: asyncio.Future[FollowersNats] = asyncio.get_running_loop().create_future()
    keeping = asyncio.create_task(_keep(data_dir, started))
    try:
        yield await started
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep(data_dir: Path, started: asyncio.Future[FollowersNats]) -> NoReturn:
    """Each new server has the port and the passwords of the previous one."""

    async def keep() -> NoReturn:
        async with FollowersNats(data_dir) as server:
            if not started.done():
                started.set_result(server)
            await server.ended()

    def ended(error: BaseException, pause_s: float) -> None:
        if not started.done():
            started.set_exception(error)
        log.warning("followers' server ended", reason=str(error), retry_in_s=pause_s)

    await retried_for_ever(keep, EmbeddedServerError, pause_s=_PAUSE_S, failed=ended)
