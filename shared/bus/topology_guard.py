"""Keeps streams and consumers as the topology declares them, and knows whether an append would be recorded.

It reverts changes by other programs: at once if the server reports them, otherwise at the next look. Guards of many
services may do so at the same time. It never creates an event stream that is gone, and never takes over one of another
installation. It reports these until a person decides.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError
from prometheus_client import Counter, Gauge

from shared.bus import drift
from shared.bus.agreed import lease_s_of, metadata, missing, schema_of, topology_is_newer
from shared.bus.installation import INSTALLATION, StreamIdentity, installation_of
from shared.bus.pending import held, pending
from shared.bus.topology import applicable, consumers, streams
from shared.journal.envelope import SCHEMA_VERSION
from shared.journal.streams import LIFECYCLE, append_subject

ADVISORIES: Final = ("$JS.EVENT.ADVISORY.STREAM.*.*", "$JS.EVENT.ADVISORY.CONSUMER.*.*.*")
LOOK_S: Final = 5.0
"""The longest time between two looks, whatever the server reports."""
FAILURE_COUNTS_S: Final = 30.0
"""How long a failed append counts if none succeeds; then requests may come again and try."""
STALE_AFTER_LOOKS: Final = 3
_SHORTEST_PAUSE_S: Final = 0.1
_WRONG_LAST_SEQUENCE: Final = 10071
_NO_SUCH_SEQUENCE: Final = 2**53
_NOBODY: Final = UUID(int=0)

log = structlog.get_logger()
_healed: Final = Counter("coldstart_topology_healed_total", "Streams and consumers that were changed back", ["name"])
_troubles: Final = Gauge("coldstart_topology_troubles", "Why events cannot be recorded, or not all: how many reasons")


@dataclass(frozen=True)
class Trouble:
    """`of_appends`: an append would not be stored where it is read."""

    reason: str
    of_appends: bool


@dataclass
class TopologyGuard:
    """`troubles`: what the last look found and could not fix."""

    connection: Client
    identity: StreamIdentity
    replicas: int
    ack_wait_s: float
    look_s: float = LOOK_S
    answer_s: float = 2.0
    clock: Callable[[], float] = time.monotonic
    looked_at: float = field(default=-math.inf, init=False)
    _lease_s: float = field(init=False)
    """As the stream says."""
    _schema: int = field(default=0, init=False)
    _newer: bool = field(default=False, init=False)
    """Whether a newer version declares the topology."""
    _failed_append: tuple[str, float] | None = field(default=None, init=False)
    _troubles: tuple[Trouble, ...] = field(default=(), init=False)
    _advised: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self._lease_s = self.ack_wait_s

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        if self.clock() - self.looked_at > STALE_AFTER_LOOKS * self.look_s:
            reason = f"JetStream was not looked at for {STALE_AFTER_LOOKS * self.look_s:g} s"
            return (*self._troubles, Trouble(reason, of_appends=True))
        if self._failed_append and self.clock() - self._failed_append[1] < FAILURE_COUNTS_S:
            reason = f"the last append was not taken in: {self._failed_append[0]}"
            return (*self._troubles, Trouble(reason, of_appends=True))
        return self._troubles

    def appended(self, failure: str | None) -> None:
        """Report an append's outcome. A full disk refuses only writes, and a look writes nothing."""
        self._failed_append = (failure, self.clock()) if failure else None

    async def run(self) -> None:
        """Look for ever. The owner cancels it."""
        for subject in ADVISORIES:
            await self.connection.subscribe(subject, cb=self._on_advisory)
        while True:
            self._advised.clear()
            await self.look()
            await asyncio.sleep(_SHORTEST_PAUSE_S)  # however often others change something
            try:
                async with asyncio.timeout(self.look_s):
                    await self._advised.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Compare, revert what differs, and test whether the stream accepts appends."""
        try:
            troubles = tuple([trouble async for trouble in self._look()])
        except (NatsError, OSError) as error:
            troubles = (Trouble(f"JetStream does not answer: {error!r}", of_appends=True),)
        for trouble in troubles:
            if trouble not in self._troubles:
                log.error("topology differs from its declaration", reason=trouble.reason, of_appends=trouble.of_appends)
        if self._troubles and not troubles:
            log.warning("topology is as declared again")
        self._troubles, self.looked_at = troubles, self.clock()
        _troubles.set(len(troubles))

    async def _on_advisory(self, advisory: Msg) -> None:
        """A stream or consumer was created, changed or deleted. Readers' own consumers are ignored."""
        ours = {config.name for config in streams(1, _NOBODY)} | {config.name for _, config in consumers(1, 1.0)}
        if ours & {*advisory.subject.split(".")[-1:]}:
            self._advised.set()

    async def _look(self) -> AsyncGenerator[Trouble]:
        jetstream = self.connection.jetstream(timeout=self.answer_s)
        for stream in streams(self.replicas, self.identity.installation):
            if reason := await self._stream(jetstream, stream):
                yield Trouble(reason, of_appends=stream.name == LIFECYCLE)
                if stream.name == LIFECYCLE:
                    return
        for reason in filter(None, (self._another_lease(), self._newer_schema())):
            yield Trouble(reason, of_appends=False)
        for on, consumer in () if self._newer else consumers(self.replicas, self._lease_s):
            if unmended := await self._consumer(jetstream, on, consumer):
                yield Trouble(unmended, of_appends=False)
        if reason := await _refusal_of_an_append(jetstream):
            yield Trouble(reason, of_appends=True)

    async def _stream(self, jetstream: JetStreamContext, declared: StreamConfig) -> str | None:
        name = str(declared.name)
        try:
            info = await jetstream.stream_info(name)
        except NotFoundError:
            if name == LIFECYCLE:
                return f"the stream {LIFECYCLE} is gone: restore its backup, or start anew to begin with an empty one"
            await jetstream.add_stream(declared)
            self._report_healed(name, ("deleted",))
            return None
        declared = applicable(declared, info.config)
        differing = drift.of_stream(declared, info.config)
        if name == LIFECYCLE:
            if whose := self._whose(info):
                return whose
            if installation_of(info.config) is None:
                differing = (*differing, INSTALLATION)
            differing = (*differing, *missing(info.config))
            self._newer, self._schema = topology_is_newer(info.config), schema_of(info.config)
            self._lease_s = lease_s_of(info.config) or self.ack_wait_s
            declared = declared.evolve(metadata=metadata(self.identity.installation, self._lease_s, info.config))
        if not differing or self._newer:
            return None
        kept = info.config
        try:
            await jetstream.update_stream(declared.evolve(num_replicas=kept.num_replicas, placement=kept.placement))
        except APIError as error:
            return _unmended(f"stream {name}", differing, error)
        self._report_healed(name, differing)
        return None

    def _another_lease(self) -> str | None:
        """Why this service works with another lease than its consumers; None if it has the same."""
        if self._lease_s == self.ack_wait_s:
            return None
        return (
            f"the stream {LIFECYCLE} was changed to leases of {self._lease_s:g} s, and this service works with "
            f"{self.ack_wait_s:g} s: start every service with COLDSTART_LEASE_SECONDS={self._lease_s:g}"
        )

    def _newer_schema(self) -> str | None:
        """Why this service cannot act on every instance; None if it can."""
        if self._schema <= SCHEMA_VERSION:
            return None
        return (
            f"a newer version writes to the stream {LIFECYCLE} (schema {self._schema}; this service writes "
            f"{SCHEMA_VERSION}): what it has written is left to services of that version"
        )

    def _whose(self, info: StreamInfo) -> str | None:
        """Why this is not the stream with which the service started; None if it is."""
        installation = installation_of(info.config)
        if installation is None and info.created == self.identity.created:
            return None
        if installation == self.identity.installation:
            self.identity = StreamIdentity(installation, info.created)  # restored from a backup
            return None
        whose = f"belongs to installation {installation}" if installation else "was made by another program"
        return f"the stream {LIFECYCLE} {whose}, not to {self.identity.installation}: start anew to use it all the same"

    async def _consumer(self, jetstream: JetStreamContext, stream: str, declared: ConsumerConfig) -> str | None:
        name = str(declared.name)
        try:
            info = await jetstream.consumer_info(stream, name)
            pending.labels(name).set(info.num_pending or 0)
            held.labels(name).set(info.num_ack_pending or 0)
            differing = drift.of_consumer(declared, info)
        except NotFoundError:
            differing = ("deleted",)
        if not differing:
            return None
        try:
            await jetstream.add_consumer(stream, declared)
            if drift.PAUSED in differing:
                await jetstream.resume_consumer(stream, name)
        except APIError as error:
            return _unmended(f"consumer {name}", differing, error)
        self._report_healed(name, differing)
        return None

    def _report_healed(self, name: str, differing: Iterable[str]) -> None:
        _healed.labels(name).inc()
        log.warning("topology changed by another program; reverted", name=name, fields=[*differing])


async def _refusal_of_an_append(jetstream: JetStreamContext) -> str | None:
    """Why appends would be refused. It sends an append with an impossible expectation, so nothing is recorded."""
    headers = {"Nats-Expected-Last-Subject-Sequence": str(_NO_SUCH_SEQUENCE), "Nats-Expected-Stream": LIFECYCLE}
    try:
        await jetstream.publish(append_subject(_NOBODY, "Probe"), headers=headers)
    except APIError as error:
        return None if error.err_code == _WRONG_LAST_SEQUENCE else f"appends are refused: {_said(error)}"
    except (NatsError, OSError) as error:
        return f"appends get no answer: {error!r}"
    return "an append was taken in that expected what cannot be"


def _unmended(what: str, differing: Iterable[str], error: APIError) -> str:
    return f"the {what} was changed ({', '.join(differing)}) and cannot be changed back: {_said(error)}"


def _said(error: APIError) -> str:
    return error.description or repr(error)


@asynccontextmanager
async def guarded_topology(
    connection: Client, identity: StreamIdentity, *, replicas: int, ack_wait_s: float
) -> AsyncGenerator[TopologyGuard]:
    """Keep the topology of this stream, once it has been applied, while the block runs."""
    guard = TopologyGuard(connection, identity, replicas, ack_wait_s)
    await guard.look()
    keeping = asyncio.create_task(guard.run())
    try:
        yield guard
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
