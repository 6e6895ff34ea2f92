"""Copies the stream for followers, to a server of their own (`shared.bus.accounts` says why).

Any number of copiers may run: each message is expected right after the one before it, so none comes twice or out of
order. If the copy is not what a copier would have made, it is made again.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, NoReturn
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import NotFoundError
from prometheus_client import Counter, Gauge

from shared.bus import drift
from shared.bus.connection import connect
from shared.bus.installation import installation_of
from shared.bus.marks import Mark, goes_on, mark_of
from shared.bus.pending import pending
from shared.bus.reader import TRANSPORT, ReadingInterrupted, reading, stream_state
from shared.bus.topology import streams
from shared.journal.streams import LIFECYCLE
from shared.retry import retried_for_ever

KEPT_BYTES: Final = 500_000_000
"""Bytes of the newest events that are kept; the api has the older ones."""
SEQUENCE: Final = "Coldstart-Sequence"
"""The header with a message's sequence in the original stream."""
STORED_NS: Final = "Coldstart-Stored-Ns"
"""The header with the moment at which the original stream stored a message, in nanoseconds since 1970."""
_PAUSE_S: Final = 1.0
_ANSWER_TIMEOUT_S: Final = 5.0
CONSUMER: Final = "followers-copy"
"""The name of the copy among the consumers in the metrics."""
_OUTAGES: Final = (ReadingInterrupted, *TRANSPORT)

log = structlog.get_logger()
_position: Final = Gauge("coldstart_followers_copy_sequence", "The last event that followers can read")
_remade: Final = Counter("coldstart_followers_copy_remade_total", "How often the followers' copy was made anew")


@dataclass(frozen=True)
class _End:
    """The end of the copy: its own last sequence, and of the last copied message the original sequence and the mark."""

    sequence: int
    copied: int
    mark: Mark | None = None


class FollowersCopy:
    def __init__(self, source: Client, target: Client, *, replicas: int, heartbeat_s: float) -> None:
        self._source = source
        self._target: JetStreamContext = target.jetstream(timeout=_ANSWER_TIMEOUT_S)
        self._replicas = replicas
        self._heartbeat_s = heartbeat_s

    async def run(self) -> NoReturn:
        """Copy for ever; after any outage continue after the copy's end."""

        def interrupted(error: BaseException, pause_s: float) -> None:
            with suppress(KeyError):
                pending.remove(CONSUMER)
            log.warning("followers' copy interrupted", reason=repr(error), retry_in_s=pause_s)

        async def copy() -> NoReturn:
            await self._follow(await self.prepare())

        await retried_for_ever(copy, *_OUTAGES, pause_s=_PAUSE_S, failed=interrupted)

    async def prepare(self) -> _End:
        """Create the copy if it does not exist. Raises ReadingInterrupted, nats.errors.Error."""
        state = await stream_state(self._source)
        declared = copy_config(self._replicas, state.installation)
        try:
            info = await self._target.stream_info(LIFECYCLE)
        except NotFoundError:
            await self._target.add_stream(declared)
            return _End(0, 0)
        end = await self._end(info.state.last_seq)
        ours = installation_of(info.config) == state.installation and not drift.of_stream(declared, info.config)
        if ours and end and await goes_on(self._source, state, end.copied, end.mark):
            return end
        log.warning("followers' copy differs from what was copied; copying anew")
        _remade.inc()
        await self._target.delete_stream(LIFECYCLE)
        await self._target.add_stream(declared)
        return _End(0, 0)

    async def _end(self, last_sequence: int) -> _End | None:
        """The end of the copy; None if its last message was not copied."""
        if not last_sequence:
            return _End(0, 0)
        try:
            last = await self._target.get_msg(LIFECYCLE, seq=last_sequence)
            headers = last.headers or {}
            copied = int(headers[SEQUENCE])
            mark = Mark(copied, int(headers[STORED_NS])) if STORED_NS in headers else None
            return _End(last_sequence, copied, mark)
        except (NotFoundError, KeyError, ValueError):
            return None

    async def _follow(self, end: _End) -> NoReturn:
        last = end.sequence
        async with reading(self._source, after=end.copied, heartbeat_s=self._heartbeat_s) as events:
            while True:
                for message in await events.batch():
                    last = await self._copy(message, last)

    async def _copy(self, message: Msg, last: int) -> int:
        mark = mark_of(message)
        sequence = str(mark.sequence)
        headers = {
            SEQUENCE: sequence,
            STORED_NS: str(mark.stored_ns),
            "Nats-Msg-Id": sequence,
            "Nats-Expected-Last-Sequence": str(last),
        }
        subject = f"journal.{message.subject.partition('.')[2]}"
        copied = await self._target.publish(subject, message.data, headers=headers)
        _position.set(int(sequence))
        pending.labels(CONSUMER).set(message.metadata.num_pending)
        return copied.seq


def copy_config(replicas: int, installation: UUID) -> StreamConfig:
    """Like the stream itself, except that the oldest messages are dropped, and that it may be made again."""
    original = next(config for config in streams(replicas, installation) if config.name == LIFECYCLE)
    return original.evolve(max_bytes=KEPT_BYTES, deny_delete=False, deny_purge=False)


@asynccontextmanager
async def copying(source: Client, url: str, *, replicas: int, heartbeat_s: float) -> AsyncGenerator[None]:
    """Copy to the account at `url` while the block runs; trouble there does not end it."""
    task = asyncio.create_task(_connect_and_run(source, url, replicas, heartbeat_s))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _connect_and_run(source: Client, url: str, replicas: int, heartbeat_s: float) -> NoReturn:
    def away(error: BaseException, pause_s: float) -> None:
        log.warning("followers' server unreachable", reason=repr(error), retry_in_s=pause_s)

    connecting = partial(connect, url, "followers' copy")
    target = await retried_for_ever(connecting, *TRANSPORT, pause_s=_PAUSE_S, failed=away)
    try:
        await FollowersCopy(source, target, replicas=replicas, heartbeat_s=heartbeat_s).run()
    finally:
        await target.close()
