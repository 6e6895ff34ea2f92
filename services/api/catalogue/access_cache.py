"""Keys, organisations, models and offerings in memory, read in one snapshot so that they are consistent.

No request waits for the database to be authenticated.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from services.api.access.following import Following
from services.api.access.repository import all_api_keys
from services.api.catalogue.access_records import AccessRecords, KnownAccess
from services.api.catalogue.repository import all_models
from services.api.tenancy.repository import all_offerings, all_organizations
from shared.clock import CLOCK
from shared.postgres.connection import Pool


class AccessCache(KnownAccess):
    """While the database is down, everything stays as it is: nobody can revoke a key then, and inference continues.

    `refresh_s`, `timeout_s`, `on_projected`: as in Following.
    """

    def __init__(
        self,
        database_url: SecretStr,
        pool: Pool,
        *,
        admin_key: SecretStr | None,
        refresh_s: float,
        timeout_s: float = 5.0,
        on_projected: Callable[[], None],
    ) -> None:
        super().__init__(admin_key)
        self._pool = pool
        self._loading = asyncio.Lock()
        self._following = Following(
            database_url, self._load, refresh_s=refresh_s, timeout_s=timeout_s, on_projected=on_projected
        )

    async def load(self) -> None:
        """Read the tables now: at the start, and after a change of our own."""
        async with self._pool.acquire() as connection:
            await self._load(connection)

    async def run(self) -> None:
        """Follow the changes for ever; the owner cancels it."""
        await self._following.run()

    async def _load(self, connection: Any) -> None:
        async with self._loading:  # so that the last read wins
            read_at = CLOCK.now()
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                models = await all_models(connection)
                organizations = await all_organizations(connection)
                offerings = await all_offerings(connection)
                keys = await all_api_keys(connection)
            self.take(AccessRecords(keys, organizations, models, offerings, read_at))
