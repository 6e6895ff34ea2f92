"""API keys in the database; requests read them from the access cache."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from services.api.access.api_keys import ApiKey, KeyLimits, NewApiKey, Role, hashed, new_key, shown
from services.api.access.caller import API
from services.api.audit.entries import EntryType, NewEntry, Subject, note
from shared.actor import Actor
from shared.postgres.connection import Connection, Pool, PooledConnection
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

    async def add(
        self, name: str, role: Role, limits: KeyLimits, organization_id: UUID | None, *, by: Actor
    ) -> NewApiKey | None:
        """None if the organisation is gone."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                return await _add(connection, name, role, limits, organization_id, by=by)
        except asyncpg.ForeignKeyViolationError:
            return None

    async def change(self, key_id: UUID, limits: Mapping[str, Any], *, by: Actor) -> ApiKey | None:
        """Change only these limits; None if there is no such key."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_sql("change_api_key"), key_id, dict(limits))
            if row is None:
                return None
            changed = ApiKey.model_validate(dict(row))
            if limits:
                await note(connection, _entry(EntryType.API_KEY_CHANGED, changed, by, limits))
        return changed

    async def add_first_admin_key(self) -> NewApiKey | None:
        """Make an administrator's key if there is none; None if there is one."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_sql("lock_api_keys"))
            if await connection.fetchval(_sql("other_admin_exists"), None):
                return None
            return await _add(connection, _FIRST_KEY, Role.ADMIN, KeyLimits(), None, by=API.actor)

    async def remove(self, key_id: UUID, *, keep_an_admin: bool, by: Actor) -> bool:
        """False if there is no such key. Raises LastAdminKey."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_sql("lock_api_keys"))
            row = await connection.fetchrow(_sql("remove_api_key"), key_id)
            if row is None:
                return False
            removed = ApiKey.model_validate(dict(row))
            last = removed.role is Role.ADMIN and not await connection.fetchval(_sql("other_admin_exists"), key_id)
            if last and keep_an_admin:
                raise LastAdminKey
            await note(connection, _entry(EntryType.API_KEY_REVOKED, removed, by))
        return True


async def all_api_keys(connection: Connection) -> list[tuple[bytes, ApiKey]]:
    """Each with its hash."""
    rows = await connection.fetch(_sql("all_api_keys"))
    return [(row["key_hash"], ApiKey.model_validate(dict(row))) for row in rows]


async def _add(
    connection: PooledConnection, name: str, role: Role, limits: KeyLimits, organization_id: UUID | None, *, by: Actor
) -> NewApiKey:
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
    made = NewApiKey.model_validate({**only(row), "key": key})
    limited = KeyLimits.model_validate(limits, from_attributes=True).model_dump(mode="json", exclude_none=True)
    await note(connection, _entry(EntryType.API_KEY_CREATED, made, by, {"role": role, **limited}))
    return made


def _entry(kind: EntryType, key: ApiKey, by: Actor, details: Mapping[str, Any] | None = None) -> NewEntry:
    return NewEntry(kind, by, Subject.of("api_key", key.id, key.name), key.organization_id, details or {})


def _sql(name: str) -> str:
    return statement("services.api.access", name)
