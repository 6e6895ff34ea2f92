"""The projector's read model: its position in the stream, and its instances."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import structlog
from pydantic import ValidationError

from shared.lifecycle.instance import Instance
from shared.lifecycle.snapshot import read_snapshot
from shared.lifecycle.status import GONE
from shared.postgres.connection import Pool
from shared.postgres.statements import statement

_PROJECTION: Final = "instances"

log = structlog.get_logger()


class ReadModelRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def position(self) -> tuple[UUID | None, int]:
        """The installation and the least stream position of everything read from the read model from now on."""
        checkpoint = await self._pool.fetchrow(_sql("checkpoint"), _PROJECTION)
        return (checkpoint["installation"], checkpoint["sequence"]) if checkpoint else (None, 0)

    async def standing(self, installation: UUID, known: Sequence[UUID] = ()) -> tuple[int, list[Instance]]:
        """A stream position and, as of then, the instances that are not gone and those in `known`.

        (0, []) if nothing of it was projected. Leaves out instances that a newer version has written.
        """
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            checkpoint = await connection.fetchrow(_sql("checkpoint"), _PROJECTION)
            if checkpoint is None or checkpoint["installation"] != installation:
                return 0, []
            rows = await connection.fetch(_sql("standing_instances"), known, sorted(GONE))
        read = (_understood(row["snapshot"]) for row in rows)
        return checkpoint["sequence"], [instance for instance in read if instance is not None]


def _understood(snapshot: Any) -> Instance | None:
    try:
        return read_snapshot(snapshot)
    except ValidationError as error:
        log.warning("unreadable snapshot", reason=str(error))
        return None


def _sql(name: str) -> str:
    return statement("services.api.feed", name)
