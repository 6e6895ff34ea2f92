"""kill -9 of NATS and PostgreSQL through a deployment's life: each stage has exactly the wanted replicas."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from nats.aio.client import Client

from coldstart.embedded import EmbeddedNats, EmbeddedPostgres, ServerEndedError
from coldstart.embedded.server import EmbeddedServer
from shared.bus.reader import ReadingInterrupted
from tests.integration.line import PATIENCE_S, line
from tests.integration.stream import every_event
from tests.scaler.whole_life import SWIFT, a_life

EVENTS = (
    "DeploymentCreated",
    "InstanceRequested",
    "SshInstallStarted",
    "InstanceReady",
    "ServerLost",
    "ReplicaReplaced",
    "RolloutStarted",
    "DrainRequested",
    "RolloutFinished",
    "DeploymentPaused",
    "DeploymentResumed",
    "DeploymentDeleted",
)
"""At each of them one of the two is killed, by turns."""
LOOK_S = 0.05


async def started_again(server: EmbeddedServer) -> None:
    """kill -9, and a new process with what the one before has stored."""
    os.kill(server.pid, signal.SIGKILL)
    with suppress(ServerEndedError):
        await server.ended()
    await server.start_again()


@asynccontextmanager
async def killed_at(
    events: Sequence[str], nats: EmbeddedNats, postgres: EmbeddedPostgres, connection: Client
) -> AsyncGenerator[list[str]]:
    """By turns, one at each of these types, as soon as it is recorded. Yields those at which one was killed so far."""
    turns: list[EmbeddedServer] = [nats, postgres]
    at: list[str] = []

    async def kill() -> None:
        while len(at) < len(events):
            with suppress(ReadingInterrupted):
                seen = {recorded.type for recorded in await every_event(connection)}
                for event in sorted(seen & set(events) - set(at)):
                    at.append(event)
                    await started_again(turns[len(at) % 2])
            await asyncio.sleep(LOOK_S)

    async with asyncio.TaskGroup() as group:
        killing = group.create_task(kill())
        yield at
        async with asyncio.timeout(PATIENCE_S):
            await killing


async def test_a_deployment_lives_as_wanted_while_nats_and_postgresql_are_killed_and_started_again(
    tmp_path: Path, servers_folder: Path
) -> None:
    folder = servers_folder / "killed"
    async with (
        EmbeddedNats(folder) as nats,
        EmbeddedPostgres(folder) as postgres,
        line(tmp_path, nats.url, postgres.url, changes=SWIFT, scaled=True) as running,
        a_life(running, nats.url) as life,
    ):
        async with killed_at(EVENTS, nats, postgres, life.connection) as killed:
            await life.led()
        assert await life.broken() == []
        assert sorted(killed) == sorted(EVENTS)
