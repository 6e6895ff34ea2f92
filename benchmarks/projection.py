"""How fast an event becomes a row: `python -m benchmarks.projection`, on servers of its own.

Latency is from an event's being recorded (the stream has acknowledged it) until PostgreSQL has announced that it can
be read, at a steady rate.
Throughput is that of catching up with a stream that was written while no projector ran.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import psutil
from nats.aio.client import Client

from benchmarks.lives import Message, interleaved, written
from coldstart.embedded import servers
from services.progress.projection import CHANNEL
from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.postgres.connection import connect_pool, connecting
from shared.postgres.migrate import migrate


@asynccontextmanager
async def service(nats_url: str, database_url: str) -> AsyncGenerator[psutil.Process]:
    environment = {"COLDSTART_NATS_URL": nats_url, "COLDSTART_DATABASE_URL": database_url}
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.progress", env={**os.environ, **environment, "COLDSTART_LOG_LEVEL": "warning"}
    )
    try:
        yield psutil.Process(program.pid)
    finally:
        program.terminate()
        await program.wait()


class Announced:
    """When each sequence could be read."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}
        self._highest = 0
        self._moved = asyncio.Event()

    def __call__(self, *notification: object) -> None:
        sequence, now = int(str(notification[-1])), time.perf_counter()
        for passed in range(self._highest + 1, sequence + 1):
            self.at[passed] = now
        self._highest = max(self._highest, sequence)
        self._moved.set()

    async def reached(self, sequence: int) -> None:
        while self._highest < sequence:
            self._moved.clear()
            await self._moved.wait()


async def catching_up(connection: Client, urls: tuple[str, str], announced: Announced, events: int) -> None:
    last = await written(connection, interleaved(events))
    before = last - events
    async with service(*urls):
        await announced.reached(before + 1)
        began, at = time.perf_counter(), sum(moment <= time.perf_counter() for moment in announced.at.values())
        await announced.reached(last)
        seconds = time.perf_counter() - began
    print(f"catching up: {(last - at) / seconds:,.0f} events/s ({events:,} events of 50 instances at a time)")


async def steady(connection: Client, urls: tuple[str, str], announced: Announced, rate: int, seconds: float) -> None:
    jetstream = connection.jetstream()
    recorded: dict[int, float] = {}
    appends: list[float] = []

    async def append(message: Message) -> None:
        began = time.perf_counter()
        acknowledged = await jetstream.publish(*message)
        recorded[acknowledged.seq] = time.perf_counter()
        appends.append(recorded[acknowledged.seq] - began)

    messages = list(interleaved(int(rate * seconds) + 1))
    async with service(*urls) as process:
        await append(messages[0])
        await announced.reached(max(recorded))  # from here on it is running
        recorded.clear()
        process.cpu_percent()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number, message in enumerate(messages[1:]):
                await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
                group.create_task(append(message))
        await announced.reached(max(recorded))
        busy = process.cpu_percent()
        await asyncio.sleep(5)
        idle = process.cpu_percent()
    delays = [max(0.0, announced.at[sequence] - at) for sequence, at in recorded.items()]
    print(f"steady: {rate} events/s for {seconds:.0f} s")
    print(f"  recorded → readable: {in_ms(delays)}")
    print(f"  (appending itself:   {in_ms(appends)})")
    print(f"  the service used {busy:.0f} % of a core meanwhile, {idle:.1f} % when idle")


def in_ms(delays: list[float]) -> str:
    percentile = quantiles(delays, n=100)
    return f"p50 {percentile[49] * 1e3:.1f} ms, p99 {percentile[98] * 1e3:.1f} ms, slowest {max(delays) * 1e3:.1f} ms"


async def main(rate: int, seconds: float, events: int) -> None:
    with TemporaryDirectory() as folder:
        async with servers(Path(folder), None, None) as running:
            urls = running.nats_url, running.database_url
            connection = await connect(running.nats_url, "benchmark")
            await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
            async with connect_pool(running.database_url, name="benchmark", max_size=1) as pool:
                await migrate(pool)
            async with connecting(running.database_url, name="benchmark") as database:
                announced = Announced()
                await database.add_listener(CHANNEL, announced)
                await catching_up(connection, urls, announced, events)
                await steady(connection, urls, announced, rate, seconds)
                await database.remove_listener(CHANNEL, announced)
            await connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=500, help="events a second (default 500)")
    parser.add_argument("--seconds", type=float, default=10, help="for how long (default 10)")
    parser.add_argument("--events", type=int, default=20_000, help="to catch up with (default 20,000)")
    asyncio.run(main(**vars(parser.parse_args())))
