"""How a service starts and stops on the bus: connected, with the declared topology, holding work under leases."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypedDict
from uuid import UUID

from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.js import JetStreamContext

from shared.bus.connection import connect, connect_options, connect_with, inbox_prefix, round_trip
from shared.bus.dead_letters import DeadLetters
from shared.bus.lease import Leases
from shared.bus.subscriber import Handle, Subscriber, stop_asking
from shared.bus.topology import Trigger, apply_topology
from shared.bus.topology_guard import TopologyGuard, guarded_topology
from shared.bus.unreadable import FailInstance
from shared.journal.journal import Journal
from shared.logs import BUS
from shared.settings import ServiceSettings


def _ignore() -> None:
    pass


class Broker(NatsBroker):
    """FastStream's broker on a connection that may be cancelled: `nats.connect`, which it calls, may not."""

    async def _connect(self) -> Client:
        connection = await connect_with(self._connection_kwargs)
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

    @property
    def jetstream(self) -> JetStreamContext:
        return self.connection.jetstream()

    def take(self, trigger: Trigger, handle: Handle, *, max_held: int) -> None:
        """Call `handle` with what the trigger's consumer delivers, once `holding` is entered."""
        letters, on_unreadable = DeadLetters(self.jetstream), FailInstance(self.journal)
        subscriber = Subscriber(trigger, self.leases, letters, handle, on_unreadable)
        subscriber.attach(self.broker, max_held=max_held, inbox=self.inbox)

    @asynccontextmanager
    async def holding(self) -> AsyncGenerator[Leases]:
        """Hold work while the block runs. At its end, return all of it at once and wait for the holders."""
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self.leases.keep_alive())
            try:
                await self.broker.start()
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
        **connect_options(url, name, reconnected), logger=logging.getLogger(BUS), graceful_timeout=stop_grace_s
    )
    connection = await broker.connect()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(connection.close)
        if keeps_topology:
            installation = (await stack.enter_async_context(guarded(connection, settings))).identity.installation
        else:
            installation = await declared(connection, settings)
        yield Holder(
            broker=broker,
            connection=connection,
            installation=installation,
            leases=Leases(round_trip(connection), settings.lease_seconds),
            journal=Journal(connection, actor=name, source=f"/coldstart/{installation}"),
            inbox=inbox_prefix(url),
            stop_grace_s=stop_grace_s,
        )


async def declared(connection: Client, settings: ServiceSettings) -> UUID:
    """Declare the topology and return the installation's id. Raises StartRefused."""
    return await apply_topology(connection.jetstream(), **_topology(settings))


def guarded(connection: Client, settings: ServiceSettings) -> AbstractAsyncContextManager[TopologyGuard]:
    """Declare the topology, and keep it as declared while the block runs. Raises StartRefused."""
    return guarded_topology(connection, **_topology(settings))


class _Topology(TypedDict):
    replicas: int
    ack_wait_s: float
    installation: UUID | None


def _topology(settings: ServiceSettings) -> _Topology:
    return _Topology(
        replicas=settings.stream_replicas, ack_wait_s=settings.lease_seconds, installation=settings.installation
    )
