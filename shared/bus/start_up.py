"""How a service starts and stops on the bus: connected, with the declared topology, holding work under leases."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict, TypeVar
from uuid import UUID

from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.errors import ConnectionReconnectingError, NoRespondersError
from nats.js import JetStreamContext
from nats.js.errors import ServiceUnavailableError

from shared.bus.connection import (
    ConnectOptions,
    addresses,
    connect,
    connect_options,
    connect_with,
    inbox_prefix,
    round_trip,
)
from shared.bus.dead_letters import DeadLetters
from shared.bus.held import Held, subject
from shared.bus.installation import StreamIdentity
from shared.bus.lease import Leases
from shared.bus.server_clock import keeping_time
from shared.bus.subscriber import Handle, Subscriber, stop_asking
from shared.bus.topology import Trigger, applied_topology
from shared.bus.topology_guard import TopologyGuard, guarded_topology
from shared.bus.unreadable import FailInstance
from shared.journal.journal import Journal
from shared.journal.recorded import RecordedOf
from shared.logs import BUS
from shared.retry import retried_for_ever
from shared.service_manager import told_while_waiting
from shared.settings import ServiceSettings

_UNANSWERED: Final = (ServiceUnavailableError, NoRespondersError, ConnectionReconnectingError, OSError)
"""What a request to JetStream raises while there is none (a TimeoutError is an OSError)."""
_PAUSE_S: Final = 0.5


_KnownT = TypeVar("_KnownT", bound=RecordedOf[Any, Any])


def _ignore() -> None:
    pass


class Broker(NatsBroker):
    """FastStream's broker on a connection of ours: `nats.connect`, which it calls, cannot be cancelled.

    And its own callback raises what it calls an unrecoverable error. nats-py calls it while it reconnects, so the
    connection would never come back, and nobody would be told.
    """

    def __init__(self, options: ConnectOptions, **more: Any) -> None:
        super().__init__(**options, **more)
        self._own = options

    async def _connect(self) -> Client:
        connection = await connect_with(self._connection_kwargs | self._own)
        self.config.connect(connection)
        return connection


@dataclass(frozen=True)
class Holder:
    """A service that holds work. When it stops, holders have `stop_grace_s` seconds to finish.

    `inbox` is the prefix of the subjects for its answers.
    """

    broker: NatsBroker
    connection: Client
    installation: UUID
    leases: Leases
    journal: Journal
    inbox: str
    stop_grace_s: float
    takes: list[Held] = field(default_factory=list)

    @property
    def jetstream(self) -> JetStreamContext:
        return self.connection.jetstream()

    def take(self, trigger: Trigger[_KnownT], handle: Handle[_KnownT], *, max_held: int) -> None:
        """Call `handle` with what the trigger's consumer delivers, once `holding` is entered."""
        letters, on_unreadable, held = DeadLetters(self.jetstream), FailInstance(self.journal), Held(trigger.durable)
        self.takes.append(held)
        subscriber = Subscriber(trigger, self.leases, letters, handle, on_unreadable, held)
        subscriber.attach(self.broker, max_held=max_held, inbox=self.inbox)

    @asynccontextmanager
    async def holding(self) -> AsyncGenerator[Leases]:
        """Hold work while the block runs. At its end, return all of it at once and wait for the holders."""
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self.leases.keep_alive())
            try:
                await self.broker.start()
                for held in self.takes:
                    await self.connection.subscribe(subject(held.durable), cb=held.answer)
                yield self.leases
            finally:
                await stop_asking(self.broker)
                await self.leases.close(self.stop_grace_s)
                await self.broker.stop()
                keeping.cancel()


@asynccontextmanager
async def connected(settings: ServiceSettings, name: str) -> AsyncGenerator[Client]:
    """A connection, once the topology is declared. Raises StartRefused."""
    connection = await connect(settings.nats_url.get_secret_value(), name)
    try:
        await declared(connection, settings)
        async with keeping_time(connection):
            yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def holder(
    settings: ServiceSettings,
    name: str,
    *,
    keeps_topology: bool,
    stop_grace_s: float,
    reconnected: Callable[[], None] = _ignore,
) -> AsyncGenerator[Holder]:
    """A connected holder, ready for `take`. Raises StartRefused.

    `keeps_topology`: revert changes of the topology by other programs while the block runs.
    """
    url = settings.nats_url.get_secret_value()
    broker = Broker(
        connect_options(url, name, reconnected), logger=logging.getLogger(BUS), graceful_timeout=stop_grace_s
    )
    connection = await broker.connect()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(connection.close)
        if keeps_topology:
            installation = (await stack.enter_async_context(guarded(connection, settings))).identity.installation
        else:
            installation = (await declared(connection, settings)).installation
        await stack.enter_async_context(keeping_time(connection))
        yield Holder(
            broker=broker,
            connection=connection,
            installation=installation,
            leases=Leases(round_trip(connection), settings.lease_seconds),
            journal=Journal(connection, actor=name, source=f"/coldstart/{installation}"),
            inbox=inbox_prefix(url),
            stop_grace_s=stop_grace_s,
        )


async def declared(connection: Client, settings: ServiceSettings) -> StreamIdentity:
    """Declare the topology, once JetStream answers: a cluster may have no leader yet, or a server may just start.

    Raises StartRefused.
    """

    async def apply() -> StreamIdentity:
        return await applied_topology(connection.jetstream(), **_topology(settings))

    at = addresses(settings.nats_url.get_secret_value())
    async with told_while_waiting("JetStream", at, "COLDSTART_NATS_URL") as failed:
        return await retried_for_ever(apply, *_UNANSWERED, pause_s=_PAUSE_S, failed=failed)


@asynccontextmanager
async def guarded(connection: Client, settings: ServiceSettings) -> AsyncGenerator[TopologyGuard]:
    """Declare the topology, and keep it as declared while the block runs. Raises StartRefused."""
    identity = await declared(connection, settings)
    replicas, ack_wait_s = settings.stream_replicas, settings.lease_seconds
    async with guarded_topology(connection, identity, replicas=replicas, ack_wait_s=ack_wait_s) as guard:
        yield guard


class _Topology(TypedDict):
    replicas: int
    ack_wait_s: float
    former_ack_wait_s: float | None
    installation: UUID | None


def _topology(settings: ServiceSettings) -> _Topology:
    return _Topology(
        replicas=settings.stream_replicas,
        ack_wait_s=settings.lease_seconds,
        former_ack_wait_s=settings.former_lease_seconds,
        installation=settings.installation,
    )
