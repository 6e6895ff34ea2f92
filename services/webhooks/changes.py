"""Hears of what others have queued or changed, by LISTEN/NOTIFY."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NoReturn

import structlog
from pydantic import SecretStr

from shared.postgres.connection import DATABASE_ERRORS, connecting
from shared.retry import retried_for_ever
from shared.webhooks import CHANNEL

_PAUSE_S: Final = 0.5
_LOOK_S: Final = 5.0

log = structlog.get_logger()


async def listen(database_url: SecretStr, wake: Callable[[], None]) -> NoReturn:
    """Call `wake` for each notification, and after each outage, in which some were lost. The owner cancels it."""

    def heard(*_: Any) -> None:
        wake()

    async def follow() -> NoReturn:
        async with connecting(database_url.get_secret_value(), name="coldstart webhooks listening") as database:
            await database.add_listener(CHANNEL, heard)
            wake()
            while True:
                await asyncio.sleep(_LOOK_S)
                await database.fetchval("SELECT 1")  # so that a silently broken connection is noticed

    await retried_for_ever(follow, *DATABASE_ERRORS, pause_s=_PAUSE_S, failed=_interrupted)
    raise AssertionError


def _interrupted(error: BaseException, _: float) -> None:
    log.warning("not listening for webhooks", reason=repr(error))
