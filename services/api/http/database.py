"""The api's own tables, the read model that it serves from, and when PostgreSQL is taken to be down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import structlog
from pydantic import ValidationError

from services.api.access.keys import ApiKey, KeyLimits, Role, hashed, new_key, shown
from services.api.catalogue.catalogue import Model, Offering
from services.api.catalogue.hub.client import Found
from services.api.control.views import NewApiKey, TimelineRow
from services.api.tenancy.organizations import Organization
from shared.eta.launch import Launch
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE, Status
from shared.postgres.connection import Connection, Pool
from shared.postgres.statements import statement

DOWN: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""Raised when there is no server, or it hangs, starts, stops or lets nobody in (a TimeoutError is an OSError)."""
PROJECTION: Final = "instances"
_FIRST_KEY: Final = "made at the first start"

log = structlog.get_logger()

Position = tuple[datetime, UUID]
"""Where a page ended, newest first."""


@dataclass(frozen=True)
class ModelUses:
    """How many instances of it are neither terminated nor archived, and by which names it is offered."""

    model: str
    instances: int
    offerings: tuple[str, ...]


class LastAdminKey(Exception):
    """Nobody could administer this installation any more."""


def sql(name: str) -> str:
    return statement("services.api", name)


class Database:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def instances(
        self,
        *,
        after: Position | None,
        limit: int,
        statuses: Sequence[Status] | None,
        model: str | None,
        organization_id: UUID | None,
    ) -> list[Instance]:
        """Newest first; archived ones only when that is among `statuses`. None: whatever it is."""
        rows = await self._pool.fetch(
            sql("page_of_instances"),
            *(after or (None, None)),
            limit,
            statuses,
            model,
            organization_id,
            [Status.ARCHIVED],
        )
        return [Instance.model_validate(row["snapshot"]) for row in rows]

    async def timeline(self, instance_id: UUID, *, after: int, limit: int) -> list[TimelineRow]:
        """Oldest first, behind version `after`."""
        rows = await self._pool.fetch(sql("page_of_timeline"), instance_id, after, limit)
        return [TimelineRow.model_validate(dict(row)) for row in rows]

    async def projected_version(self, instance_id: UUID) -> int:
        """0 when the projector has not seen it."""
        return await self._pool.fetchval(sql("projected_version"), instance_id) or 0

    async def position(self) -> tuple[UUID | None, int]:
        """Up to where in whose stream the read model is at least, for whatever is read from now on."""
        checkpoint = await self._pool.fetchrow(sql("checkpoint"), PROJECTION)
        return (checkpoint["installation"], checkpoint["sequence"]) if checkpoint else (None, 0)

    async def standing(self, installation: UUID, known: Sequence[UUID] = ()) -> tuple[int, list[Instance]]:
        """A position of the stream and, as they were there, the instances that are not gone and those that are known.

        (0, []) when nothing was projected of it. One that a newer version has written is left out.
        """
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            checkpoint = await connection.fetchrow(sql("checkpoint"), PROJECTION)
            if checkpoint is None or checkpoint["installation"] != installation:
                return 0, []
            rows = await connection.fetch(sql("standing_instances"), known, sorted(GONE))
        read = (_understood(row["snapshot"]) for row in rows)
        return checkpoint["sequence"], [instance for instance in read if instance is not None]

    async def costs(self, first: date, last: date, at: datetime, organization_id: UUID | None) -> list[dict[str, Any]]:
        """`day, organization_id, currency, cost`, the newest day first; what is on until `at` counts until then.

        Of one organisation, or of all and of what everybody shares.
        """
        until = at.astimezone(UTC).replace(tzinfo=None)
        rows = await self._pool.fetch(sql("costs_by_day"), first, last, until, organization_id)
        return [dict(row) for row in rows]

    async def unpriced(self, first: date, last: date, at: datetime, organization_id: UUID | None) -> int:
        """How many instances had a server on in those days that `costs` cannot count: nobody knows its price."""
        until = at.astimezone(UTC).replace(tzinfo=None)
        return int(await self._pool.fetchval(sql("unpriced"), first, last, until, organization_id))

    async def past_launches(self, most: int) -> list[Launch]:
        """Of the attempts that became ready the newest."""
        return [Launch.model_validate(dict(row)) for row in await self._pool.fetch(sql("past_launches"), most)]

    async def spent_this_month(self, organization_id: UUID, at: datetime) -> dict[str, float]:
        """By currency, in the month of `at` in UTC."""
        today = at.astimezone(UTC).date()
        spent: dict[str, float] = {}
        for row in await self.costs(today.replace(day=1), today, at, organization_id):
            spent[row["currency"]] = spent.get(row["currency"], 0.0) + float(row["cost"])
        return spent

    async def models(self, *, after: Position | None, limit: int) -> list[Model]:
        rows = await self._pool.fetch(sql("page_of_models"), *(after or (None, None)), limit)
        return [Model.model_validate(dict(row)) for row in rows]

    async def add_model(self, found: Found | Model) -> Model:
        """The model as it stands in the catalogue now, whoever put it there, with its figures where they are known."""
        values = (found.model, found.task, found.gated, found.parameters, found.weights_bytes)
        row = await self._pool.fetchrow(sql("add_model"), uuid4(), *values)
        return Model.model_validate(_only(row))

    async def measure_model(self, model: str, parameters: int, weights_bytes: int | None) -> Model | None:
        """With these figures where it had none; None when it is not in the catalogue any more."""
        row = await self._pool.fetchrow(sql("measure_model"), model, parameters, weights_bytes)
        return Model.model_validate(dict(row)) if row else None

    async def remove_model(self, model_id: UUID) -> ModelUses | None:
        """What it is used by, in which case it stays; None when there was no such model."""
        async with self._pool.acquire() as connection, connection.transaction():
            model = await connection.fetchval(sql("lock_model"), model_id)
            if model is None:
                return None
            row = _only(await connection.fetchrow(sql("uses_of_model"), model_id, model, sorted(GONE)))
            uses = ModelUses(model, row["instances"], tuple(row["offerings"] or ()))
            if not (uses.instances or uses.offerings):
                await connection.execute(sql("remove_model"), model_id)
        return uses

    async def api_keys(self, *, after: Position | None, limit: int) -> list[ApiKey]:
        rows = await self._pool.fetch(sql("page_of_api_keys"), *(after or (None, None)), limit)
        return [ApiKey.model_validate(dict(row)) for row in rows]

    async def add_api_key(
        self, name: str, role: Role, limits: KeyLimits, organization_id: UUID | None
    ) -> NewApiKey | None:
        """None when the organisation is gone."""
        try:
            async with self._pool.acquire() as connection:
                return await _add_api_key(connection, name, role, limits, organization_id)
        except asyncpg.ForeignKeyViolationError:
            return None

    async def change_api_key(self, key_id: UUID, limits: Mapping[str, Any]) -> ApiKey | None:
        """Only the limits that are named here; None when there is no such key."""
        row = await self._pool.fetchrow(sql("change_api_key"), key_id, dict(limits))
        return ApiKey.model_validate(dict(row)) if row else None

    async def first_admin_key(self) -> NewApiKey | None:
        """Make an administrator's key when there is none; None when there is."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(sql("lock_api_keys"))
            if await connection.fetchval(sql("other_admin_exists"), None):
                return None
            return await _add_api_key(connection, _FIRST_KEY, Role.ADMIN, KeyLimits(), None)

    async def remove_api_key(self, key_id: UUID, *, keep_an_admin: bool) -> bool:
        """False when there is no such key. Raises LastAdminKey."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(sql("lock_api_keys"))
            role = await connection.fetchval(sql("remove_api_key"), key_id)
            last = role == Role.ADMIN and not await connection.fetchval(sql("other_admin_exists"), key_id)
            if last and keep_an_admin:
                raise LastAdminKey
        return role is not None


@dataclass(frozen=True)
class Access:
    """Who may ask for what, all as it was at one moment; each key with its hash."""

    models: Sequence[Model]
    organizations: Sequence[Organization]
    offerings: Sequence[Offering]
    keys: Sequence[tuple[bytes, ApiKey]]


def _understood(snapshot: Any) -> Instance | None:
    try:
        return Instance.model_validate(snapshot)
    except ValidationError as error:
        log.warning("snapshot not understood", reason=str(error))
        return None


async def read_access(connection: Connection) -> Access:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        models = await connection.fetch(sql("all_models"))
        organizations = await connection.fetch(sql("all_organizations"))
        offerings = await connection.fetch(sql("all_offerings"))
        keys = await connection.fetch(sql("all_api_keys"))
    return Access(
        [Model.model_validate(dict(row)) for row in models],
        [Organization.model_validate(dict(row)) for row in organizations],
        [Offering.model_validate(dict(row)) for row in offerings],
        [(row["key_hash"], ApiKey.model_validate(dict(row))) for row in keys],
    )


async def _add_api_key(
    connection: Any, name: str, role: Role, limits: KeyLimits, organization_id: UUID | None
) -> NewApiKey:
    key = new_key()
    row = await connection.fetchrow(
        sql("add_api_key"),
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
    return NewApiKey.model_validate({**_only(row), "key": key})


def _only(row: asyncpg.Record | None) -> dict[str, Any]:
    assert row is not None  # noqa: S101  an INSERT … RETURNING gives its row
    return dict(row)
