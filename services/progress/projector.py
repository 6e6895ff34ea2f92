"""Leads or stands by. As the leader it follows the stream from the checkpoint, and restarts there after any outage."""

from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.progress.leadership import leading
from services.progress.metrics import ProjectionMetrics, leadership_metrics
from services.progress.pipeline import pipelined
from services.progress.projection import (
    AT_ONCE,
    Checkpoint,
    OfAnotherInstallation,
    Projection,
    checkpoint,
)
from services.progress.rebuild import rebuild
from services.progress.settings import ProgressSettings
from services.progress.shadow import RebuildRunning
from shared.bus.dead_letters import DeadLetters
from shared.bus.marks import goes_on, mark_at
from shared.bus.reader import ReadingInterrupted, reading, stream_state
from shared.journal.envelope import WrittenByNewer
from shared.postgres.connection import DATABASE_ERRORS, Connection
from shared.retry import backoff_s, retried_for_ever

CONSUMER: Final = "progress"
"""The consumer name of its dead letters."""
_FIRST_PAUSE_S: Final = 0.1
_OUTAGES: Final = (
    *DATABASE_ERRORS,
    NatsError,
    ReadingInterrupted,
    OfAnotherInstallation,
    RebuildRunning,
    WrittenByNewer,
)

log = structlog.get_logger()


class LeadershipLost(OSError):
    """The database session that made this projector the leader is gone."""


@dataclass
class Projector:
    """`failures` counts the outages since the last success."""

    connection: Client
    settings: ProgressSettings
    failures: int = field(default=0, init=False)

    async def run(self) -> NoReturn:
        """Project for ever. No outage of PostgreSQL or NATS ends it or loses an event."""
        await retried_for_ever(self._lead, *_OUTAGES, pause_s=self._pause_s, failed=_interrupted)

    def _pause_s(self, _: int) -> float:
        self.failures += 1
        return backoff_s(self.failures, _FIRST_PAUSE_S, self.settings.longest_pause_seconds)

    async def _lead(self) -> NoReturn:
        url = self.settings.database_url.get_secret_value()
        async with leading(url, standby_s=self.settings.standby_seconds) as database:
            reached = await self._starting_point(database)
            log.info("projecting", installation=str(reached.installation), after=reached.sequence)
            await self._follow(database, reached)

    async def _starting_point(self, database: Connection) -> Checkpoint:
        """Where to continue: the checkpoint, unless it is of another stream, or of one that was rolled back since."""
        stream = await stream_state(self.connection)
        reached = await checkpoint(database)
        if reached is None:
            return Checkpoint(stream.installation, 0)
        same = reached.installation == stream.installation
        if same and await goes_on(self.connection, stream, reached.sequence, reached.mark):
            return await self._marked(database, reached)
        log.error(
            "read model has other events than the stream, which was replaced or rolled back; rebuilding it",
            checkpoint=f"{reached.installation}:{reached.sequence}",
            stream=f"{stream.installation}:{stream.last_sequence}",
        )
        return await rebuild(
            self.connection,
            self.settings.database_url.get_secret_value(),
            archive_dir=self.settings.archive_dir,
            keep_timelines=False,  # those of another stream
            put_aside=self._put_aside,
            heartbeat_s=self.settings.stream_heartbeat_seconds,
        )

    async def _marked(self, database: Connection, reached: Checkpoint) -> Checkpoint:
        """The checkpoint of an earlier version has no mark."""
        if reached.mark is None and (mark := await mark_at(self.connection, reached.sequence)):
            await Projection(database, reached.installation, self._put_aside).commit([], reached.sequence, mark)
            return replace(reached, mark=mark)
        return reached

    async def _put_aside(self, message: Msg, reason: str) -> None:
        await DeadLetters(self.connection.jetstream()).put(message, CONSUMER, reason)

    async def _follow(self, database: Connection, reached: Checkpoint) -> NoReturn:
        url = self.settings.database_url.get_secret_value()
        metrics = ProjectionMetrics(self.connection, url, reached.sequence)
        projection = Projection(database, reached.installation, self._put_aside, step_ended=metrics.step_ended)
        heartbeat = self.settings.stream_heartbeat_seconds
        async with (
            reading(self.connection, after=reached.sequence, heartbeat_s=heartbeat, at_once=AT_ONCE) as events,
            pipelined(projection, metrics.stored) as pipeline,
            leadership_metrics(
                metrics, every_s=self.settings.fleet_count_seconds if self.settings.metrics_port else None
            ),
        ):
            while True:
                if messages := await events.batch():
                    await pipeline.take(messages)
                elif database.is_closed():
                    raise LeadershipLost
                if pipeline.idle:
                    await pipeline.stored()
                    self.failures = 0


def _interrupted(error: BaseException, pause_s: float) -> None:
    if isinstance(error, WrittenByNewer):
        log.error("the read model stops before an event of a newer version; start that version", reason=str(error))
    log.warning("projection interrupted", reason=repr(error), retry_in_s=round(pause_s, 2))
