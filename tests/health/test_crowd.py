"""As many instances as a busy installation may ever have, watched by one process."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from nats.aio.client import Client

from services.health.app import running
from services.health.probes import Outcome, Passed, Probe, Refused, Target
from services.health.settings import HealthSettings
from shared.bus.connection import connect
from shared.bus.topology import WATCH, apply_topology
from shared.journal.envelope import encode
from shared.journal.recorded import Origin
from shared.journal.streams import LIFECYCLE, append_subject
from shared.lifecycle.events import event_id
from tests.health.examples import a_pace
from tests.health.watching import PATIENCE_S, until
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

CROWD: Final = 1_500
LEASE_S: Final = 30.0
"""Long enough for two busy cores, which extend so many at once."""


class Machines:
    """None answers before all are watched; then SSH does, and no worker ever."""

    def __init__(self) -> None:
        self.looked_at: set[str] = set()
        self.all_watched = asyncio.Event()

    async def probe(self, probe: Probe, target: Target) -> Outcome:
        self.looked_at.add(target.api_key)
        if len(self.looked_at) == CROWD:
            self.all_watched.set()
        if probe is not Probe.SSH:
            return Refused()
        await self.all_watched.wait()
        return Passed()


async def a_crowd_of_addresses(connection: Client) -> None:
    """As many instances as that, each with one event: its address, with the snapshot that goes with it."""
    jetstream = connection.jetstream(publish_async_max_pending=500)
    for _ in range(CROWD):
        instance_id, now = uuid4(), datetime.now(UTC)
        facts = (*h.a_created_server(), f.instance_started(), f.ip_assigned())
        life = [fact.model_copy(update={"instance_id": instance_id, "occurred_at": now}) for fact in facts]
        assigned = life[-1]
        await jetstream.publish_async(
            append_subject(instance_id, "IpAssigned"),
            encode(event_id(assigned), assigned, f.given(*life), Origin("test"), "/test"),
        )
    await jetstream.publish_async_completed()


async def test_fifteen_hundred_instances_are_watched_at_once_and_each_reaches_its_fact(nats_url: str) -> None:
    connection, machines = await connect(nats_url, "test"), Machines()
    jetstream = connection.jetstream()
    await apply_topology(jetstream, replicas=1, ack_wait_s=LEASE_S)
    await a_crowd_of_addresses(connection)

    @asynccontextmanager
    async def open_machines(_: HealthSettings) -> AsyncGenerator[Machines]:
        yield machines

    async def recorded() -> int:
        info = await jetstream.stream_info(LIFECYCLE, subjects_filter="lifecycle.*.SshReachable")
        return len(info.state.subjects or {})

    pace = a_pace(nats_url=nats_url, lease_seconds=LEASE_S, startup_look_seconds=5.0, reload_seconds=60.0)
    async with running(pace, open_machines) as leases:
        await until(lambda: len(leases) == CROWD)
        watched_at = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            while await recorded() < CROWD:  # noqa: ASYNC110  the stream is asked
                await asyncio.sleep(0.1)
        await until(lambda: all(lease.confirmed_at > watched_at for lease in leases._leases))
        consumer = await jetstream.consumer_info(LIFECYCLE, WATCH.durable)
        assert consumer.num_ack_pending == CROWD
        assert consumer.num_redelivered == 0
        assert consumer.num_pending == 0
    await connection.close()
