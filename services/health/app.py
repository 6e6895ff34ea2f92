"""The health service: the one place that builds its adapters and wires them."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from faststream.nats import NatsBroker

from services.health.http_prober import HttpProber
from services.health.passing import Passing
from services.health.probes import Prober
from services.health.settings import HealthSettings
from services.health.ssh_worker_log import SshWorkerLog
from services.health.watcher import Watcher
from services.health.worker_log import WorkerLog
from shared.bus.connection import connect_options, heeding, inbox_prefix, round_trip, telling_of_a_wait
from shared.bus.dead_letters import DeadLetters
from shared.bus.lease import Leases
from shared.bus.not_understood import FailsItsInstance
from shared.bus.subscriber import Subscriber, stop_asking
from shared.bus.topology import WATCH, apply_topology
from shared.journal.journal import Journal
from shared.journal.streams import EVERY_EVENT
from shared.logs import BUS
from shared.secrets import Secrets, SshKey

OpenProber = Callable[[HealthSettings], AbstractAsyncContextManager[Prober]]
MakeWorkerLog = Callable[[SshKey, HealthSettings], WorkerLog]
"""From the key that the installation signs in to its machines with."""


@asynccontextmanager
async def running(
    settings: HealthSettings,
    open_prober: OpenProber = HttpProber.open,
    make_worker_log: MakeWorkerLog = SshWorkerLog,
) -> AsyncGenerator[Leases]:
    """Watch whatever must be watched while the block runs; gives every watch back at once when it ends.

    Yields the leases, one for each watch held.
    """
    passing = Passing()
    url = settings.nats_url.get_secret_value()
    broker = NatsBroker(
        **connect_options(url, "health", passing.reconnected),
        logger=logging.getLogger(BUS),
    )
    with telling_of_a_wait(url):
        connection = heeding(await broker.connect())
    jetstream = connection.jetstream()
    installation = await apply_topology(
        jetstream,
        replicas=settings.stream_replicas,
        ack_wait_s=settings.lease_seconds,
        installation=settings.installation,
    )
    leases = Leases(round_trip(connection), settings.lease_seconds)
    journal = Journal(connection, actor="health", source=f"/coldstart/{installation}")
    secrets = Secrets(settings.master_secret.get_secret_value())
    async with open_prober(settings) as prober, asyncio.TaskGroup() as group:
        watcher = Watcher(
            journal=journal,
            prober=prober,
            worker_log=make_worker_log(secrets.ssh_client_key(), settings),
            secrets=secrets,
            passing=passing,
            settings=settings,
        )
        subscriber = Subscriber(WATCH, leases, DeadLetters(jetstream), watcher.watch, FailsItsInstance(journal))
        subscriber.attach(broker, max_held=settings.max_watches, inbox=inbox_prefix(url))
        keeping = group.create_task(leases.keep_alive())
        try:
            await connection.subscribe(EVERY_EVENT, cb=passing.heard)
            await broker.start()
            yield leases
        finally:
            await stop_asking(broker)
            await leases.close(settings.stop_grace_seconds)
            await broker.stop()
            keeping.cancel()
