"""Organisations and their offerings in the database; requests read them from the access cache."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from services.api.audit.entries import EntryType, NewEntry, Subject, note
from services.api.tenancy.offerings import Offering
from services.api.tenancy.organizations import Limits, Organization
from shared.actor import Actor
from shared.lifecycle.instance import Instance
from shared.lifecycle.snapshot import understood
from shared.lifecycle.status import GONE
from shared.postgres.connection import Connection, Pool
from shared.postgres.statements import statement

_OF_THE_MODEL: Final = "offerings_model_id_fkey"


class OrganizationGone(Exception):
    """The organisation was deleted meanwhile."""


class ModelGone(Exception):
    """The model was removed from the catalogue meanwhile."""


class OrganizationRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, slug: str, name: str, limits: Limits, *, by: Actor) -> Organization | None:
        """None if the slug is taken."""
        given = (limits.max_instances, limits.spend_per_hour, limits.spend_per_month, limits.at_limit)
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_sql("add_organization"), uuid4(), slug, name, *given)
            if row is None:
                return None
            made = Organization.model_validate(dict(row))
            limited = Limits.model_validate(limits, from_attributes=True).model_dump(mode="json", exclude_none=True)
            await note(connection, _of_organization(EntryType.ORGANIZATION_CREATED, made, by, limited))
        return made

    async def change(self, organization_id: UUID, fields: Mapping[str, Any], *, by: Actor) -> Organization | None:
        """Change only these fields; None if it is gone."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_sql("change_organization"), organization_id, dict(fields))
            if row is None:
                return None
            changed = Organization.model_validate(dict(row))
            if fields:
                await note(connection, _of_organization(EntryType.ORGANIZATION_CHANGED, changed, by, fields))
        return changed

    async def remove(self, organization_id: UUID, *, by: Actor) -> None:
        """Delete it with its keys and offerings."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_sql("remove_organization"), organization_id)
            if row is not None:
                removed = Organization.model_validate(dict(row))
                await note(connection, _of_organization(EntryType.ORGANIZATION_DELETED, removed, by))

    async def standing(self, organization_id: UUID, also: Sequence[UUID] = ()) -> list[Instance]:
        """Its instances that may still hold something, and those in `also`, from the read model."""
        rows = await self._pool.fetch(_sql("standing_of_organization"), organization_id, also, sorted(GONE))
        return [*understood(row["snapshot"] for row in rows)]


class OfferingRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(
        self,
        organization_id: UUID,
        code: str,
        model_id: UUID,
        deployment: str | None = None,
        *,
        active: bool,
        by: Actor,
    ) -> Offering | None:
        """None if the code is taken. Raises OrganizationGone, ModelGone."""
        values = (uuid4(), organization_id, code, model_id, active, deployment)
        try:
            return await self._noted(EntryType.OFFERING_CREATED, by, _sql("add_offering"), *values)
        except asyncpg.ForeignKeyViolationError as error:
            gone = ModelGone if error.as_dict().get("constraint_name") == _OF_THE_MODEL else OrganizationGone
            raise gone from None

    async def change(
        self, offering_id: UUID, *, model_id: UUID | None, deployment: str | None = None, active: bool | None, by: Actor
    ) -> Offering | None:
        """Arguments of None change nothing, but a model comes with its deployment, or with none.

        Returns None if it is gone. Raises ModelGone.
        """
        try:
            values = (offering_id, model_id, active, deployment)
            return await self._noted(EntryType.OFFERING_CHANGED, by, _sql("change_offering"), *values)
        except asyncpg.ForeignKeyViolationError:
            raise ModelGone from None

    async def remove(self, offering_id: UUID, *, by: Actor) -> bool:
        """False if it was gone already."""
        return await self._noted(EntryType.OFFERING_DELETED, by, _sql("remove_offering"), offering_id) is not None

    async def _noted(self, kind: EntryType, by: Actor, sql: str, *values: object) -> Offering | None:
        """The offering that the statement has made, changed or removed, with its entry; None if it was none."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(sql, *values)
            if row is None:
                return None
            offering = Offering.model_validate(dict(row))
            model, deployment = str(offering.model_id), offering.deployment
            details = {"model_id": model, "deployment": deployment, "active": offering.active}
            subject = Subject.of("offering", offering.id, offering.code)
            await note(connection, NewEntry(kind, by, subject, offering.organization_id, details))
        return offering


async def all_organizations(connection: Connection) -> list[Organization]:
    """Newest first."""
    return [Organization.model_validate(dict(row)) for row in await connection.fetch(_sql("all_organizations"))]


async def all_offerings(connection: Connection) -> list[Offering]:
    """Newest first."""
    return [Offering.model_validate(dict(row)) for row in await connection.fetch(_sql("all_offerings"))]


def _of_organization(
    kind: EntryType, organization: Organization, by: Actor, details: Mapping[str, Any] | None = None
) -> NewEntry:
    subject = Subject.of("organization", organization.id, organization.slug)
    return NewEntry(kind, by, subject, organization.id, details or {})


def _sql(name: str) -> str:
    return statement("services.api.tenancy", name)
