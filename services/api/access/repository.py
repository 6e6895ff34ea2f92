"""API keys in the database; requests read them from the access cache."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from services.api.access.api_keys import ApiKey, KeyLimits, NewApiKey, Role, hashed, new_key, shown
from shared.postgres.connection import Connection, Pool
from shared.postgres.keyset import Position
from shared.postgres.statements import only, statement

_FIRST_KEY: Final = "made at the first start"


class LastAdminKey(Exception):
    """Without this key, nobody could administer the installation."""


class ApiKeyRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, *, after: Position | None, limit: int) -> list[ApiKey]:
        """Newest first."""
        rows = await self._pool.fetch(_sql("page_of_api_keys"), *(after or (None, None)), limit)
        return [ApiKey.model_validate(dict(row)) for row in rows]

    async def add(self, name: str, role: Role, limits: KeyLimits, organization_id: UUID | None) -> NewApiKey | None:
        """None if the organisation is gone."""
        try:
            async with self._pool.acquire() as connection:
                return await _add(connection, name, role, limits, organization_id)
        except asyncpg.ForeignKeyViolationError:
            return None

    async def change(self, key_id: UUID, limits: Mapping[str, Any]) -> ApiKey | None:
        """Change only these limits; None if there is no such key."""
        row = await self._pool.fetchrow(_sql("change_api_key"), key_id, dict(limits))
        return ApiKey.model_validate(dict(row)) if row else None

    async def add_first_admin_key(self) -> NewApiKey | None:
        """Make an administrator's key if there is none; None if there is one."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_sql("lock_api_keys"))
            if await connection.fetchval(_sql("other_admin_exists"), None):
                return None
            return await _add(connection, _FIRST_KEY, Role.ADMIN, KeyLimits(), None)

    async def remove(self, key_id: UUID, *, keep_an_admin: bool) -> bool:
        """False if there is no such key. Raises LastAdminKey."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_sql("lock_api_keys"))
            role = await connection.fetchval(_sql("remove_api_key"), key_id)
            last = role == Role.ADMIN and not await connection.fetchval(_sql("other_admin_exists"), key_id)
            if last and keep_an_admin:
                raise LastAdminKey
        return role is not None


async def all_api_keys(connection: Connection) -> list[tuple[bytes, ApiKey]]:
    """Each with its hash."""
    rows = await connection.fetch(_sql("all_api_keys"))
    return [(row["key_hash"], ApiKey.model_validate(dict(row))) for row in rows]


async def _add(connection: Any, name: str, role: Role, limits: KeyLimits, organization_id: UUID | None) -> NewApiKey:
    key = new_key()
    row = await connection.fetchrow(
        _sql("add_api_key"),
        uuid4(),
        name,
        role,
        shown(key),
        hashed(key),
        organization_id,
        limits.requests_per_minute,
        limits.tokens_per_minute,
        limits.max_concurrent,
        limits.allowed_models,
    )
    return NewApiKey.model_validate({**only(row), "key": key})


def _sql(name: str) -> str:
    return statement("services.api.access", name)
