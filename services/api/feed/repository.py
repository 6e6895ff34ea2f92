"""The projector's read model: its position in the stream, its instances and its deployments."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from services.api.feed.standing import Standing
from shared.bus.marks import Mark
from shared.deployments import snapshot as deployment_snapshot
from shared.deployments.deployment import DeploymentStatus
from shared.lifecycle import snapshot
from shared.lifecycle.status import GONE
from shared.postgres.connection import Pool
from shared.postgres.statements import statement

_PROJECTION: Final = "instances"


class ReadModelRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def reached(self) -> Standing:
        """What everything that is read from now on is made of at least, without instances and deployments."""
        return _standing(await self._pool.fetchrow(_sql("checkpoint"), _PROJECTION))

    async def standing(self, installation: UUID, known: Sequence[UUID] = ()) -> Standing:
        """With the instances that are not gone, the deployments that are not over, and those in `known`.

        Nothing of another installation. Leaves out what a newer version has written.
        """
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            reached = _standing(await connection.fetchrow(_sql("checkpoint"), _PROJECTION))
            if reached.installation != installation:
                return Standing(installation, 0)
            rows = await connection.fetch(_sql("standing_instances"), known, sorted(GONE))
            of_deployments = await connection.fetch(_sql("standing_deployments"), known, DeploymentStatus.DELETED)
        return replace(
            reached,
            instances=[*snapshot.understood(row["snapshot"] for row in rows)],
            deployments=[*deployment_snapshot.understood(row["snapshot"] for row in of_deployments)],
        )


def _standing(checkpoint: Any) -> Standing:
    if checkpoint is None:
        return Standing(None, 0)
    mark = Mark(checkpoint["mark_sequence"], checkpoint["mark_stored_ns"]) if checkpoint["mark_sequence"] else None
    return Standing(checkpoint["installation"], checkpoint["sequence"], mark)


def _sql(name: str) -> str:
    return statement("services.api.feed", name)
