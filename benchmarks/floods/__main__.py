"""What floods do to the api: `python -m benchmarks.floods`. Its memory, and how long others wait meanwhile.

Each flood meets an api of its own, as it runs in production, and comes from another process. One more is one more entry
of FLOODS. `--only` takes a part of a name.
"""

import argparse
import asyncio
import resource
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.floods.known import KNOWN, WORKER
from benchmarks.floods.known import Flood as KnownFlood
from benchmarks.floods.strangers import STRANGERS, Flood
from benchmarks.router.processes import accepts, program, stopped
from benchmarks.router.scene import MODEL, OFFERING, ORGANIZATION
from coldstart.embedded import servers
from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.logs import configure_logs
from tests.api.fakes import a_hub, free_port
from tests.api.stage import ADMIN_KEY, Stage, until
from tests.integration.victim import environment_of

FLOODS: tuple[Flood | KnownFlood, ...] = (*STRANGERS, *KNOWN)
HOST = "127.0.0.1"
LONGEST_S = 15.0
LOOK_EVERY_S = 0.02
ASK_EVERY_S = 0.05
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@dataclass
class Measured:
    """`waited_s`: the worst that somebody else waited for /healthz, on a connection of its own."""

    before_mb: float
    most_mb: float
    waited_s: float = 0.0
    refused: int = 0


async def main(only: str) -> None:
    configure_logs("floods", "error", "console")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    table = Table("flood", title_justify="left")
    for column in ("MB before", "MB at most", "worst /healthz, ms", "not answered"):
        table.add_column(column, justify="right")
    with TemporaryDirectory() as name:
        async with AsyncExitStack() as stack:
            stage = await _stage(Path(name), stack)
            for flood in FLOODS:
                if only in flood.name:
                    measured = await _flooded(flood, stage, Path(name) / "api.log")
                    table.add_row(
                        flood.name,
                        f"{measured.before_mb:,.0f}",
                        f"{measured.most_mb:,.0f}",
                        f"{measured.waited_s * 1_000:,.0f}",
                        f"{measured.refused}",
                    )
    Console(width=120).print(table)


async def _stage(folder: Path, stack: AsyncExitStack) -> Stage:
    running = await stack.enter_async_context(servers(folder, None, None))
    connection = await connect(running.nats_url, "benchmark")
    stack.push_async_callback(connection.close)
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
    hub = await stack.enter_async_context(a_hub())
    return Stage(running.nats_url, running.database_url, connection, hub, stack, free_port())


async def _flooded(flood: Flood | KnownFlood, stage: Stage, log: Path) -> Measured:
    port = free_port()
    settings = stage.settings(api_port=port, router_staleness_seconds=15.0, stream_heartbeat_seconds=1.0)
    files = flood.files if isinstance(flood, Flood) else None
    limited = f"ulimit -n {files} && " if files else ""
    command = ("sh", "-c", f"{limited}exec {sys.executable} -m services.api")
    async with program(*command, log=log, serves=accepts(HOST, port), environment=environment_of(settings)) as api:
        await _healthz(port)
        arguments = ["benchmarks.floods.strangers", flood.name, HOST, str(port)]
        if isinstance(flood, KnownFlood):
            key = await _known(stage, port, flood)
            arguments = ["benchmarks.floods.known", flood.name, HOST, str(port), key, str(stage.worker_port)]
        process = psutil.Process(api.pid)
        now = process.memory_info().rss / 1e6
        measured = Measured(now, now)
        flooding = await asyncio.create_subprocess_exec(sys.executable, "-m", *arguments)
        ending = asyncio.create_task(flooding.wait())
        looking = [asyncio.create_task(_memory(process, measured)), asyncio.create_task(_others(port, measured))]
        try:
            await asyncio.wait([ending], timeout=LONGEST_S)
        finally:
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)
            await stopped(flooding)
    return measured


async def _known(stage: Stage, port: int, flood: KnownFlood) -> str:
    """The key of somebody whose organisation has a worker."""
    admin = httpx.AsyncClient(base_url=f"http://{HOST}:{port}", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    async with admin:
        if (await admin.post("/organizations", json={"slug": ORGANIZATION})).is_success:
            (await admin.post("/models", json={"model": MODEL})).raise_for_status()
            offered = {"code": OFFERING.partition("/")[2], "model": MODEL}
            (await admin.post(f"/organizations/{ORGANIZATION}/offerings", json=offered)).raise_for_status()
            await stage.ready(WORKER)
        made = await admin.post("/api-keys", json={"name": "flood", "organization": ORGANIZATION, **flood.limits})
        key = str(made.raise_for_status().json()["key"])

        async def ready() -> bool:
            told = await admin.get("/models/resolve", params={"model": MODEL})
            return [one["eligible"] for one in told.json()["instances"]] == [True]

        await until(ready)
    return key


async def _memory(process: psutil.Process, measured: Measured) -> None:
    while True:
        measured.most_mb = max(measured.most_mb, process.memory_info().rss / 1e6)
        await asyncio.sleep(LOOK_EVERY_S)


async def _others(port: int, measured: Measured) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        try:
            if not await _healthz(port):
                measured.refused += 1
        except OSError:
            measured.refused += 1
        finally:  # the flood may end before the answer comes
            measured.waited_s = max(measured.waited_s, clock() - began)
        await asyncio.sleep(ASK_EVERY_S)


async def _healthz(port: int) -> bool:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(HEALTHZ)
        return b" 200 OK\r\n" in await reader.read()
    finally:
        writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="floods whose name holds this")
    asyncio.run(main(parser.parse_args().only))
