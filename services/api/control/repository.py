"""Pages of instances and timelines from the read model."""

from collections.abc import Sequence
from uuid import UUID

from services.api.control.views import TimelineRow
from shared.lifecycle.instance import Instance
from shared.lifecycle.snapshot import read_snapshot
from shared.lifecycle.status import Status
from shared.postgres.connection import Pool
from shared.postgres.keyset import Position
from shared.postgres.statements import statement


class InstanceRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self,
        *,
        after: Position | None,
        limit: int,
        statuses: Sequence[Status] | None,
        model: str | None,
        organization_id: UUID | None,
    ) -> list[Instance]:
        """Newest first; archived ones only if `statuses` names that. Filters of None match everything."""
        rows = await self._pool.fetch(
            _sql("page_of_instances"),
            *(after or (None, None)),
            limit,
            statuses,
            model,
            organization_id,
            [Status.ARCHIVED],
        )
        return [read_snapshot(row["snapshot"]) for row in rows]

    async def timeline(self, instance_id: UUID, *, after: int, limit: int) -> list[TimelineRow]:
        """Oldest first, after version `after`."""
        rows = await self._pool.fetch(_sql("page_of_timeline"), instance_id, after, limit)
        return [TimelineRow.model_validate(dict(row)) for row in rows]


def _sql(name: str) -> str:
    return statement("services.api.control", name)
