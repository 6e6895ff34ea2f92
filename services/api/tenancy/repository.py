"""Organisations and their offerings in the database; requests read them from the access cache."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from services.api.tenancy.offerings import Offering
from services.api.tenancy.organizations import Limits, Organization
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

    async def add(self, slug: str, name: str, limits: Limits) -> Organization | None:
        """None if the slug is taken."""
        row = await self._pool.fetchrow(
            _sql("add_organization"),
            uuid4(),
            slug,
            name,
            limits.max_instances,
            limits.spend_per_hour,
            limits.spend_per_month,
            limits.at_limit,
        )
        return Organization.model_validate(dict(row)) if row else None

    async def change(self, organization_id: UUID, fields: Mapping[str, Any]) -> Organization | None:
        """Change only these fields; None if it is gone."""
        row = await self._pool.fetchrow(_sql("change_organization"), organization_id, dict(fields))
        return Organization.model_validate(dict(row)) if row else None

    async def remove(self, organization_id: UUID) -> None:
        """Delete it with its keys and offerings."""
        await self._pool.execute(_sql("remove_organization"), organization_id)

    async def standing(self, organization_id: UUID, also: Sequence[UUID] = ()) -> list[Instance]:
        """Its instances that may still hold something, and those in `also`, from the read model."""
        rows = await self._pool.fetch(_sql("standing_of_organization"), organization_id, also, sorted(GONE))
        return [*understood(row["snapshot"] for row in rows)]


class OfferingRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(
        self, organization_id: UUID, code: str, model_id: UUID, deployment: str | None = None, *, active: bool
    ) -> Offering | None:
        """None if the code is taken. Raises OrganizationGone, ModelGone."""
        values = (uuid4(), organization_id, code, model_id, active, deployment)
        try:
            row = await self._pool.fetchrow(_sql("add_offering"), *values)
        except asyncpg.ForeignKeyViolationError as error:
            gone = ModelGone if error.as_dict().get("constraint_name") == _OF_THE_MODEL else OrganizationGone
            raise gone from None
        return Offering.model_validate(dict(row)) if row else None

    async def change(
        self, offering_id: UUID, *, model_id: UUID | None, deployment: str | None = None, active: bool | None
    ) -> Offering | None:
        """Arguments of None change nothing, but a model comes with its deployment, or with none.

        Returns None if it is gone. Raises ModelGone.
        """
        try:
            row = await self._pool.fetchrow(_sql("change_offering"), offering_id, model_id, active, deployment)
        except asyncpg.ForeignKeyViolationError:
            raise ModelGone from None
        return Offering.model_validate(dict(row)) if row else None

    async def remove(self, offering_id: UUID) -> bool:
        """False if it was gone already."""
        return await self._pool.fetchval(_sql("remove_offering"), offering_id) is not None


async def all_organizations(connection: Connection) -> list[Organization]:
    """Newest first."""
    return [Organization.model_validate(dict(row)) for row in await connection.fetch(_sql("all_organizations"))]


async def all_offerings(connection: Connection) -> list[Offering]:
    """Newest first."""
    return [Offering.model_validate(dict(row)) for row in await connection.fetch(_sql("all_offerings"))]


def _sql(name: str) -> str:
    return statement("services.api.tenancy", name)
