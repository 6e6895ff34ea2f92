"""Keys, organisations, models and offerings in memory, as fresh as LISTEN/NOTIFY makes them.

No request waits for the database to be let in.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from pydantic import SecretStr

from services.api.access.keys import ApiKey, Keys, Role, configured_key_id, hashed, shown
from services.api.catalogue.catalogue import Catalogue
from services.api.http.database import read_access
from services.api.tenancy.organizations import Organization, Organizations
from shared.postgres.connection import DATABASE_ERRORS, Connection, Pool, connecting

CHANGED: Final = "access_changed"
PROJECTED: Final = "projected"
_PAUSE_S: Final = 0.25

log = structlog.get_logger()


class AccessCache:
    """`catalogue`, `keys` and `organizations` are swapped whole, at once, and fit each other.

    `admin_key` is valid whatever the database says. With the database down they stay as they were: nobody can
    revoke a key then, and inference goes on. `timeout_s`: for how long the database may let it wait, to be connected or
    for an answer, before it tries anew.
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
        self._database_url = database_url
        self._pool = pool
        self._configured = _configured(admin_key)
        self._refresh_s = refresh_s
        self._timeout_s = timeout_s
        self._on_projected = on_projected
        self._changed = asyncio.Event()
        self._loading = asyncio.Lock()
        self.catalogue = Catalogue.of(())
        self.keys = Keys.of(self._configured)
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
        """Follow the changes for ever; the owner cancels it. What was missed while away is read on coming back."""
        while True:
            try:
                async with connecting(
                    self._database_url.get_secret_value(),
                    name="api-access",
                    command_timeout_s=self._timeout_s,
                    connect_timeout_s=self._timeout_s,
                ) as connection:
                    await self._follow(connection)
            except DATABASE_ERRORS as error:
                log.warning("keys, organisations and models not refreshed", reason=repr(error))
                await asyncio.sleep(_PAUSE_S)

    async def _follow(self, connection: Connection) -> None:
        connection.add_termination_listener(self._notice)
        await connection.add_listener(CHANGED, self._notice)
        await connection.add_listener(PROJECTED, self._projected)
        self._on_projected()
        while True:
            self._changed.clear()
            await self._load(connection)
            try:
                async with asyncio.timeout(self._refresh_s):  # a connection cut without a word is found out
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _load(self, connection: Any) -> None:
        async with self._loading:  # so that what was read last also stays
            found = await read_access(connection)
            self.catalogue = Catalogue.of(found.models, found.offerings)
            self.organizations = Organizations.of(found.organizations)
            self.keys = Keys.of([*found.keys, *self._configured])

    def _notice(self, *_: Any) -> None:
        self._changed.set()

    def _projected(self, *_: Any) -> None:
        self._on_projected()


def _configured(admin_key: SecretStr | None) -> list[tuple[bytes, ApiKey]]:
    if admin_key is None:
        return []
    key = admin_key.get_secret_value()
    owner = ApiKey(
        id=configured_key_id(key),
        name="COLDSTART_ADMIN_KEY",
        role=Role.ADMIN,
        prefix=shown(key),
        created_at=datetime.now(UTC),
    )
    return [(hashed(key), owner)]
