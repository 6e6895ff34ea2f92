"""Keys, organisations, models and offerings in memory, read in one snapshot so that they are consistent.

No request waits for the database to be authenticated.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from services.api.access.api_keys import ApiKey, ApiKeys, configured_keys
from services.api.access.following import Following
from services.api.access.repository import all_api_keys
from services.api.catalogue.catalogue import Catalogue
from services.api.catalogue.repository import all_models
from services.api.tenancy.organizations import Organization, Organizations
from services.api.tenancy.repository import all_offerings, all_organizations
from shared.postgres.connection import Pool


class AccessCache:
    """`catalogue`, `keys` and `organizations` are replaced together, and are consistent.

    `admin_key` is valid whatever the database says. While the database is down, all stay as they are: nobody can
    revoke a key then, and inference continues. `refresh_s`, `timeout_s`, `on_projected`: as in Following.
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
        self._pool = pool
        self._configured = configured_keys(admin_key)
        self._loading = asyncio.Lock()
        self._following = Following(
            database_url, self._load, refresh_s=refresh_s, timeout_s=timeout_s, on_projected=on_projected
        )
        self.catalogue = Catalogue.of(())
        self.keys = ApiKeys.of(self._configured)
        self.organizations = Organizations.of(())

    @property
    def has_configured_admin(self) -> bool:
        return bool(self._configured)

    def organization_of(self, owner: ApiKey) -> Organization | None:
        return self.organizations.identified(owner.organization_id)

    async def load(self) -> None:
        """Read the tables now: at the start, and after a change of our own."""
        async with self._pool.acquire() as connection:
            await self._load(connection)

    async def run(self) -> None:
        """Follow the changes for ever; the owner cancels it."""
        await self._following.run()

    async def _load(self, connection: Any) -> None:
        async with self._loading:  # so that the last read wins
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                models = await all_models(connection)
                organizations = await all_organizations(connection)
                offerings = await all_offerings(connection)
                keys = await all_api_keys(connection)
            self.catalogue = Catalogue.of(models, offerings)
            self.organizations = Organizations.of(organizations)
            self.keys = ApiKeys.of([*keys, *self._configured])
