"""Pages of instances and timelines from the read model."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from services.api.control.views import TimelineRow
from shared.lifecycle.events import EVENTS, ActionDelayed, ActionResumed
from shared.lifecycle.instance import Instance
from shared.lifecycle.snapshot import understood, with_findings
from shared.lifecycle.status import GONE, LIVE, Status
from shared.lifecycle.stretches import Moment
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
        """Newest first; archived ones only if `statuses` names that. Filters of None match everything.

        Leaves out instances that only a newer version can read.
        """
        found = list[Instance]()
        filters = (statuses, model, organization_id, [Status.ARCHIVED])
        while True:
            rows = await self._pool.fetch(_sql("page_of_instances"), *(after or (None, None)), limit, *filters)
            found += understood(row["snapshot"] for row in rows)
            if len(found) >= limit or len(rows) < limit:
                return found[:limit]
            after = rows[-1]["created_at"], rows[-1]["id"]

    async def identified(self, ids: Sequence[UUID]) -> list[Instance]:
        """Those of these ids that the read model has, in no order."""
        rows = await self._pool.fetch(_sql("instances_by_id"), ids)
        return [*understood(row["snapshot"] for row in rows)]

    async def builds(self) -> list[Instance]:
        """Those of which a machine image is or was made, newest first; without those whose image is deleted."""
        rows = await self._pool.fetch(_sql("builds"), sorted(GONE))
        return [*understood(row["snapshot"] for row in rows)]

    async def launches_from_images(self) -> list[Instance]:
        """Those that need a machine image which they have chosen, newest first."""
        rows = await self._pool.fetch(_sql("launches_from_images"), sorted(LIVE))
        return [one for one in understood(row["snapshot"] for row in rows) if one.needed_images]

    async def timeline(self, instance_id: UUID, *, after: int, limit: int) -> list[TimelineRow]:
        """Oldest first, after version `after`."""
        rows = await self._pool.fetch(_sql("page_of_timeline"), instance_id, after, limit)
        return [TimelineRow.model_validate(dict(row)) for row in rows]

    async def launch(self, instance_id: UUID, attempt: int) -> list[Moment]:
        """What happened in that attempt until it was ready, in the order of versions; without delays.

        Leaves out events that only a newer version can read.
        """
        delays = [ActionDelayed.type(), ActionResumed.type()]
        rows = await self._pool.fetch(_sql("launch"), instance_id, attempt, Status.READY, delays)
        return [*_moments(instance_id, (dict(row) for row in rows))]


def _moments(instance_id: UUID, rows: Iterable[Mapping[str, Any]]) -> Iterator[Moment]:
    for row in rows:
        fact = {**with_findings(row["data"]), "instance_id": instance_id, "occurred_at": row["occurred_at"]}
        with suppress(KeyError, ValueError):
            event = EVENTS[row["type"]].model_validate(fact)
            yield Moment(event, row["attempt"], row["progress_percent"], Status(row["status"]))


def _sql(name: str) -> str:
    return statement("services.api.control", name)
