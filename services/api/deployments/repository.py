"""Deployments, their timelines and their load, from the tables of the projector and of the scaler."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.actor import Actor
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.deployments.snapshot import understood
from shared.deployments.words import what_happened
from shared.postgres.connection import Pool
from shared.postgres.keyset import Position
from shared.postgres.statements import statement


class DeploymentTimelineRow(BaseModel):
    """One event: `occurred_at` by its observer's clock, `recorded_at` by the stream's; `data` is the fact.

    `status`, `wanted` and `revision` are those of the deployment after it. `words` say what happened and why, for
    people; they are empty for an event that a newer version has written. `actor` is the service that recorded it;
    `requested_by` who asked for it, null if nobody did.
    """

    model_config = ConfigDict(frozen=True)

    version: int
    sequence: int
    type: str
    status: DeploymentStatus
    wanted: int
    revision: int
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    actor: str
    requested_by: Actor | None
    data: dict[str, Any]
    words: str


class LoadSlot(BaseModel):
    """Of five minutes from `at`. `mean` and `peak`: of the requests in flight and held together. The rest are means."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    mean: float
    peak: float
    in_flight: float
    held: float
    arriving_per_s: float
    refused_per_s: float
    ready: float


class DeploymentRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self,
        *,
        limit: int,
        after: Position | None = None,
        statuses: Sequence[DeploymentStatus] | None = None,
        model: str | None = None,
        organization_id: UUID | None = None,
    ) -> list[Deployment]:
        """Newest first, without those that were deleted and of which nothing is left. None as a filter matches all.

        Leaves out deployments that only a newer version can read.
        """
        found = list[Deployment]()
        filters = (statuses, model, organization_id, DeploymentStatus.DELETED)
        while True:
            rows = await self._pool.fetch(_sql("page_of_deployments"), *(after or (None, None)), limit, *filters)
            found += understood(row["snapshot"] for row in rows)
            if len(found) >= limit or len(rows) < limit:
                return found[:limit]
            after = rows[-1]["created_at"], rows[-1]["id"]

    async def timeline(self, deployment_id: UUID, *, after: int, limit: int) -> list[DeploymentTimelineRow]:
        """Oldest first, after version `after`."""
        rows = await self._pool.fetch(_sql("page_of_deployment_timeline"), deployment_id, after, limit)
        return [DeploymentTimelineRow(**row, words=what_happened(row["type"], row["data"])) for row in rows]

    async def slots(self, deployment_id: UUID, *, since: datetime) -> list[LoadSlot]:
        """Oldest first. Where a deployment had no load, there may be no slot."""
        rows = await self._pool.fetch(_sql("slots_of_deployment"), deployment_id, since)
        return [LoadSlot.model_validate(dict(row)) for row in rows]


def _sql(name: str) -> str:
    return statement("services.api.deployments", name)
