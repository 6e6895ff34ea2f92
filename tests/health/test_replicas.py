"""Two health services share the watches, and what one held moves to the other however it ended."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

from services.health.app import running
from shared.lifecycle.events import HealthLost
from shared.lifecycle.status import Status
from tests.health.examples import SECRET
from tests.health.watching import PATIENCE_S, World, a_world, until
from tests.lifecycle import facts as f
from tests.nats_proxy import Operation, nats_proxy

LEASE_S: Final = 4.0
LONG_LEASE_S: Final = 60.0


@asynccontextmanager
async def a_process(world: World, lease_seconds: float) -> AsyncGenerator[Process]:
    """The service as it is run, in a process of its own."""
    secret = {"nats_url", "master_secret"}
    pace = world.pace(lease_seconds=lease_seconds).model_dump(mode="json", exclude=secret, exclude_none=True)
    environment = {f"COLDSTART_{name.upper()}": str(value) for name, value in pace.items()}
    environment |= {"COLDSTART_NATS_URL": world.url, "COLDSTART_MASTER_SECRET": SECRET, "PATH": os.defpath}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.health", env=environment)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_the_watch_of_a_killed_replica_moves_after_the_ack_wait(nats_url: str) -> None:
    async with a_world(nats_url, ack_wait_s=LEASE_S) as world, a_process(world, LEASE_S) as first:
        await world.ready()
        async with running(world.pace(lease_seconds=LEASE_S)) as leases:
            first.kill()
            await until(lambda: len(leases) == 1)
            await world.worker.close()
            await world.until(Status.UNAVAILABLE)
            await world.happen(f.termination_requested())
            await world.until_unwatched()


async def test_a_replica_that_is_told_to_stop_gives_its_watch_back_at_once(nats_url: str) -> None:
    async with a_world(nats_url, ack_wait_s=LONG_LEASE_S) as world, a_process(world, LONG_LEASE_S) as first:
        await world.ready()
        async with running(world.pace(lease_seconds=LONG_LEASE_S)) as leases:
            first.send_signal(signal.SIGTERM)
            await until(lambda: len(leases) == 1)
            async with asyncio.timeout(PATIENCE_S):
                assert await first.wait() == 0


async def test_a_replica_that_is_cut_off_stops_and_says_nothing_more(nats_url: str) -> None:
    async with (
        a_world(nats_url, ack_wait_s=LEASE_S) as world,
        nats_proxy(nats_url) as proxy,
        running(world.pace(lease_seconds=LEASE_S, nats_url=proxy.url)) as first,
    ):
        await world.ready()
        async with running(world.pace(lease_seconds=LEASE_S)) as second:
            passing, proxy.to_server = proxy.to_server, _lose
            await until(lambda: len(second) == 1)
            assert len(first) == 0
            await world.worker.close()
            await world.until(Status.UNAVAILABLE)
            proxy.to_server = passing
            proxy.cut()
            await world.worker.open()
            await world.until(Status.READY)
            events = [recorded.event for recorded in await world.history()]
            assert len([event for event in events if isinstance(event, HealthLost)]) == 1
            assert (await world.journal.load(world.id)).version == len(events)


async def test_replicas_share_what_there_is_to_watch(nats_url: str) -> None:
    async with (
        a_world(nats_url) as world,
        running(world.pace()) as first,
        running(world.pace()) as second,
    ):
        for number in range(20):
            await World(world.url, world.connection, world.journal, world.worker, world.ssh_port).launched()
            await until(lambda wanted=number + 1: len(first) + len(second) == wanted)  # type: ignore[misc]
        assert min(len(first), len(second)) > 0


async def _lose(_: Operation) -> bool:
    return False
