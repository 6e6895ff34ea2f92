"""Follows LISTEN/NOTIFY for ever, so that caches are refreshed after each change."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn

import structlog
from pydantic import SecretStr

from shared.postgres.connection import DATABASE_ERRORS, Connection, connecting
from shared.retry import retried_for_ever

CHANGED: Final = "access_changed"
PROJECTED: Final = "projected"
_PAUSE_S: Final = 0.25

log = structlog.get_logger()


class Following:
    """Awaits `refresh` on connecting, after each change, and every `refresh_s`; calls `on_projected` for the projector.

    `timeout_s`: how long the database may take to connect or answer before it tries again.
    """

    def __init__(
        self,
        database_url: SecretStr,
        refresh: Callable[[Connection], Awaitable[None]],
        *,
        refresh_s: float,
        timeout_s: float,
        on_projected: Callable[[], None],
    ) -> None:
        self._database_url = database_url
        self._refresh = refresh
        self._refresh_s = refresh_s
        self._timeout_s = timeout_s
        self._on_projected = on_projected
        self._changed = asyncio.Event()

    async def run(self) -> NoReturn:
        """Follow the changes for ever; the owner cancels it. Changes missed during an outage are read after it."""
        await retried_for_ever(self._connect_and_follow, *DATABASE_ERRORS, pause_s=_PAUSE_S, failed=_interrupted)

    async def _connect_and_follow(self) -> NoReturn:
        async with connecting(
            self._database_url.get_secret_value(),
            name="api-access",
            command_timeout_s=self._timeout_s,
            connect_timeout_s=self._timeout_s,
        ) as connection:
            await self._follow(connection)

    async def _follow(self, connection: Connection) -> NoReturn:
        connection.add_termination_listener(self._notice)
        await connection.add_listener(CHANGED, self._notice)
        await connection.add_listener(PROJECTED, self._projected)
        self._on_projected()
        while True:
            self._changed.clear()
            await self._refresh(connection)
            try:
                async with asyncio.timeout(self._refresh_s):  # so that a silently broken connection is noticed
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _notice(self, *_: Any) -> None:
        self._changed.set()

    def _projected(self, *_: Any) -> None:
        self._on_projected()


def _interrupted(error: BaseException, _: float) -> None:
    log.warning("keys, organisations and models not refreshed", reason=repr(error))
