"""Queues each event for the webhooks that want it. One process at a time does this, from the checkpoint on.

The deliveries and the checkpoint are committed together: the checkpoint is this service's durable place in the stream.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NoReturn
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from prometheus_client import Counter

from services.webhooks.settings import WebhooksSettings
from services.webhooks.statements import sql
from services.webhooks.subscriptions import Queued, WebhookFilter, queued
from shared.bus.marks import Mark, goes_on, mark_of
from shared.bus.reader import ReadingInterrupted, position_before, reading, stream_state
from shared.clock import CLOCK
from shared.journal.envelope import Undecodable, WrittenByNewer, decode_any
from shared.journal.recorded import AnyRecorded
from shared.postgres.connection import DATABASE_ERRORS, AnyConnection, Connection, connecting
from shared.retry import backoff_s, retried_for_ever
from shared.webhooks import CHANNEL

_FIRST_PAUSE_S: Final = 0.1
_OUTAGES: Final = (*DATABASE_ERRORS, NatsError, ReadingInterrupted, WrittenByNewer)
_NS: Final = 10**9

_queued: Final = Counter("coldstart_webhooks_queued_total", "Events queued for webhooks", ["kind"])
_unreadable: Final = Counter("coldstart_webhooks_unreadable_total", "Events that could not be read, and were skipped")

log = structlog.get_logger()


class QueueLeadershipLost(OSError):
    """The database session that made this process the one that queues is gone."""


@dataclass(frozen=True)
class QueuedUpTo:
    """How far the stream of this installation is queued, and the mark of the last event."""

    installation: UUID
    sequence: int
    mark: Mark | None = None


@dataclass
class Queueing:
    """`failures` counts the outages since the last success."""

    connection: Client
    settings: WebhooksSettings
    failures: int = field(default=0, init=False)

    async def run(self) -> NoReturn:
        """Queue for ever. No outage of PostgreSQL or NATS ends it or loses an event."""
        await retried_for_ever(self._lead, *_OUTAGES, pause_s=self._pause_s, failed=_interrupted)

    def _pause_s(self, _: int) -> float:
        self.failures += 1
        return backoff_s(self.failures, _FIRST_PAUSE_S, self.settings.longest_pause_seconds)

    async def _lead(self) -> NoReturn:
        async with _leading(self.settings) as database:
            reached = await self._starting_point(database)
            log.info("queueing for webhooks", after=reached.sequence)
            await self._follow(database, reached)

    async def _starting_point(self, database: Connection) -> QueuedUpTo:
        stream = await stream_state(self.connection)
        row = await database.fetchrow(sql("checkpoint"))
        if row is None:
            earliest = await database.fetchval(sql("earliest_beginning"))
            return QueuedUpTo(stream.installation, stream.last_sequence if earliest is None else earliest)
        mark = Mark(row["mark_sequence"], row["mark_stored_ns"]) if row["mark_sequence"] else None
        same = row["installation"] == stream.installation
        if same and await goes_on(self.connection, stream, row["sequence"], mark):
            return QueuedUpTo(stream.installation, row["sequence"], mark)
        sequence = await self._fork(stream.last_sequence, mark if same else None)
        log.error(
            "the stream was replaced or rolled back: webhooks get its events from the first that was not queued",
            former=row["sequence"],
            after=sequence,
        )
        return QueuedUpTo(stream.installation, sequence)

    async def _fork(self, last_sequence: int, mark: Mark | None) -> int:
        """Behind which event the stream has other ones than were queued: those that it stored after the mark."""
        if mark is None:
            return last_sequence
        before = await position_before(self.connection, datetime.fromtimestamp(mark.stored_ns / _NS, UTC))
        return last_sequence if before is None else before

    async def _follow(self, database: Connection, reached: QueuedUpTo) -> NoReturn:
        heartbeat_s = self.settings.stream_heartbeat_seconds
        async with reading(self.connection, after=reached.sequence, heartbeat_s=heartbeat_s) as events:
            while True:
                if messages := await events.batch():
                    await _queue(database, reached.installation, messages)
                    self.failures = 0
                elif database.is_closed():
                    raise QueueLeadershipLost


async def add(database: AnyConnection, items: Sequence[Queued], kind: str, now: datetime) -> None:
    """Queue these, unless they were queued before, and wake those who send."""
    if not items:
        return
    columns = zip(*((one.id, one.webhook_id, one.message_id, one.type, one.sequence) for one in items), strict=True)
    await database.execute(sql("queue_events"), *map(list, columns), kind, now)
    await database.execute(sql("notify"), CHANNEL)
    _queued.labels(kind).inc(len(items))


def readable(messages: Iterable[Msg]) -> list[AnyRecorded]:
    """What can be read of these. Raises WrittenByNewer for what a newer version will read."""
    found = []
    for message in messages:
        try:
            found.append(decode_any(message.data, message.metadata.sequence.stream, message.metadata.timestamp))
        except WrittenByNewer:
            raise
        except Undecodable as error:
            _unreadable.inc()
            log.warning("no webhook gets an unreadable event", subject=message.subject, reason=str(error))
    return found


async def _queue(database: Connection, installation: UUID, messages: Sequence[Msg]) -> None:
    events, mark = readable(messages), mark_of(messages[-1])
    async with database.transaction():
        subscriptions = [WebhookFilter.of(row) for row in await database.fetch(sql("enabled_webhooks"))]
        items = [one for event in events for one in queued(subscriptions, event)]
        await add(database, items, "event", CLOCK.now())
        await database.execute(sql("move_checkpoint"), installation, mark.sequence, mark.sequence, mark.stored_ns)


@asynccontextmanager
async def _leading(settings: WebhooksSettings) -> AsyncGenerator[Connection]:
    """Stand by until nobody else queues, then hold that place until the block ends or the connection breaks."""
    async with connecting(settings.database_url.get_secret_value(), name="coldstart webhooks") as database:
        while not await database.fetchval(sql("try_to_lead")):  # noqa: ASYNC110  nobody announces a lock's release
            await asyncio.sleep(settings.standby_seconds)
        yield database


def _interrupted(error: BaseException, pause_s: float) -> None:
    log.warning("queueing for webhooks interrupted", reason=repr(error), retry_in_s=round(pause_s, 2))
