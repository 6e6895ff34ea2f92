"""What many events cost: `python -m benchmarks.read_model`, on servers of its own.

The projector catches up with a burst, the read model is rebuilt, and everything is verified. Each line has the seconds
that passed, and the processor time of our own processes, of PostgreSQL and of NATS.
"""

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

from benchmarks.lives import interleaved, written
from benchmarks.projection import Announced
from coldstart.embedded import servers
from services.progress.projection import CHANNEL
from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.logs import configure_logs
from shared.postgres.connection import connect_pool, connecting
from shared.postgres.migrate import migrate

GOALS: Final = "goals on two quiet cores: 100,000 events projected in 12 s, 200,000 rebuilt and verified in 30 s each"
NATS: Final = "nats-server"


@dataclass(frozen=True)
class Used:
    """Processor time in seconds: of our ended children, of PostgreSQL and of NATS."""

    own: float
    postgres: float
    nats: float


def used() -> Used:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    by_name = {NATS: 0.0, "postgres": 0.0}
    for process in psutil.Process().children(recursive=True):
        if (name := process.name()) in by_name:
            times = process.cpu_times()
            by_name[name] += times.user + times.system + times.children_user + times.children_system
    return Used(children.ru_utime + children.ru_stime, by_name["postgres"], by_name[NATS])


@asynccontextmanager
async def measured(what: str) -> AsyncGenerator[None]:
    before, began = used(), time.perf_counter()
    yield
    seconds, after = time.perf_counter() - began, used()
    own, postgres, nats = after.own - before.own, after.postgres - before.postgres, after.nats - before.nats
    print(
        f"{what}: {seconds:.1f} s; processor time {own:.1f}, PostgreSQL {postgres:.1f}, NATS {nats:.1f} s", flush=True
    )


async def progress(*arguments: str, urls: tuple[str, str]) -> asyncio.subprocess.Process:
    environment = {
        "COLDSTART_NATS_URL": urls[0],
        "COLDSTART_DATABASE_URL": urls[1],
        "COLDSTART_LOG_LEVEL": "warning",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.progress", *arguments, env={**os.environ, **environment}
    )


async def project(urls: tuple[str, str], last: int) -> None:
    async with connecting(urls[1], name="benchmark") as database:
        announced = Announced()
        await database.add_listener(CHANNEL, announced)
        service = await progress(urls=urls)
        await announced.reached(last)
        service.terminate()
        await service.wait()
        await database.remove_listener(CHANNEL, announced)


async def command(name: str, urls: tuple[str, str]) -> None:
    if await (await progress(name, urls=urls)).wait():
        sys.exit(f"{name} failed")


async def main(events: int, instances: int) -> None:
    configure_logs("benchmark", "error", "console")
    print(f"{events:,} events, {instances} instances at a time  ({GOALS})", flush=True)
    with TemporaryDirectory() as folder:
        async with servers(Path(folder), None, None) as running:
            urls = running.nats_url, running.database_url
            connection = await connect(running.nats_url, "benchmark")
            await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
            async with connect_pool(running.database_url, name="benchmark", max_size=1) as pool:
                await migrate(pool)
            for half in ("first", "second"):
                async with measured(f"{half} half written"):
                    last = await written(connection, interleaved(events // 2, instances))
                async with measured(f"{half} half projected"):
                    await project(urls, last)
            await connection.close()
            for name in ("rebuild", "verify"):
                async with measured(name):
                    await command(name, urls)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000, help="default 200,000")
    parser.add_argument("--instances", type=int, default=50, help="that live at a time (default 50)")
    asyncio.run(main(**vars(parser.parse_args())))
