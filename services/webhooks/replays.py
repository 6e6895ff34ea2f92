"""Queues past events once more for a webhook whose owner asked for that, a part at a time."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.webhooks.queueing import add, readable
from services.webhooks.settings import WebhooksSettings
from services.webhooks.statements import sql
from services.webhooks.subscriptions import WebhookFilter, queued
from shared.bus.reader import ReadingInterrupted, reading
from shared.clock import CLOCK
from shared.journal.envelope import WrittenByNewer
from shared.postgres.connection import DATABASE_ERRORS, Pool
from shared.retry import backoff_s, retried_for_ever

MOST_WAITING: Final = 1_000
"""A webhook that has so many messages waiting gets no further part yet."""
_PART: Final = 500
_FIRST_PAUSE_S: Final = 0.1
_OUTAGES: Final = (*DATABASE_ERRORS, NatsError, ReadingInterrupted, WrittenByNewer)

log = structlog.get_logger()


@dataclass(frozen=True)
class Replays:
    """Any number of processes may do this at once: what is queued twice is one delivery."""

    connection: Client
    pool: Pool
    settings: WebhooksSettings

    async def run(self) -> NoReturn:
        """The owner cancels it."""
        await retried_for_ever(self._queue_parts, *_OUTAGES, pause_s=self._pause_s, failed=_interrupted)

    def _pause_s(self, failures: int) -> float:
        return backoff_s(failures, _FIRST_PAUSE_S, self.settings.longest_pause_seconds)

    async def _queue_parts(self) -> NoReturn:
        while True:
            replay = await self.pool.fetchrow(sql("next_replay"), MOST_WAITING)
            if replay is None:
                await asyncio.sleep(min(1.0, self.settings.webhooks_look_seconds))
            else:
                await self._queue_part(replay)

    async def _queue_part(self, replay: Any) -> None:
        last = replay["through_sequence"]
        events, at_end = [], True
        heartbeat_s = self.settings.stream_heartbeat_seconds
        async with reading(
            self.connection, after=replay["after_sequence"], heartbeat_s=heartbeat_s, at_once=_PART
        ) as stream:
            while not stream.caught_up:
                if messages := await stream.batch():
                    events += readable(messages)
                    at_end = stream.caught_up
                if len(events) >= _PART:
                    break
        reached = events[-1].sequence if events and not at_end else last
        async with self.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(sql("one_webhook"), replay["webhook_id"])
            if row is not None:
                wanted = [WebhookFilter.of(row)]
                items = [
                    one for event in events if event.sequence <= last for one in queued(wanted, event, replay["id"])
                ]
                await add(connection, items, "replay", CLOCK.now())
            await connection.execute(sql("end_replay" if reached >= last else "move_replay"), *_moved(replay, reached))


def _moved(replay: Any, reached: int) -> tuple[Any, ...]:
    return (replay["id"],) if reached >= replay["through_sequence"] else (replay["id"], reached)


def _interrupted(error: BaseException, pause_s: float) -> None:
    log.warning("replay for a webhook interrupted", reason=repr(error), retry_in_s=round(pause_s, 2))
