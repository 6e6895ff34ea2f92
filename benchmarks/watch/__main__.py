"""What it costs to watch ready instances: `python -m benchmarks.watch --instances 5000`.

The real health service in one process of its own (or several), the real stream, and workers that are always well. It
prints the processor time of health and its memory, how late looks begin (at p99), and how late its event loop runs.
Lines of its log follow, of which there should be none.
"""

import argparse
import asyncio
import secrets
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.request import urlopen
from uuid import UUID, uuid4

import psutil
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.idle import cpu_s
from benchmarks.watch.places import address_of
from coldstart.embedded.nats import EmbeddedNats
from coldstart.stack.processes import Service
from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.journal.envelope import encode
from shared.journal.recorded import Origin
from shared.journal.streams import append_subject
from shared.lifecycle.events import event_id
from shared.lifecycle.fold import begin, evolve
from shared.logs import configure_logs
from tests.api.fakes import free_port
from tests.lifecycle import histories as h

LEASE_S: Final = 30.0
PATIENCE_S: Final = 300.0
PERCENT: Final = 0.99
SETTLED: Final = 2.5
"""So many looks at each worker, and the connections are made."""
GOAL: Final = "goal: 5,000 instances, looks begin in time at p99, under one core"
Counted = dict[str, dict[str, float]]


async def publish(nats_url: str, ids: list[UUID], tls: str) -> None:
    """Ready instances. The stream keeps the two events of each that health reads."""
    connection = await connect(nats_url, "benchmark")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=LEASE_S)
    jetstream = connection.jetstream(publish_async_max_pending=500)
    facts = list(h.a_ready_instance())
    for number, instance_id in enumerate(ids):
        instance, now = None, datetime.now(UTC)
        for fact in facts:
            changes: dict[str, object] = {"instance_id": instance_id, "occurred_at": now}
            if fact.type() == "IpAssigned":
                changes["ip_address"] = str(address_of(number))
            if fact.type() == "SshInstallStarted":
                changes["worker_tls"] = tls
            event = fact.model_copy(update=changes)
            instance = begin(event) if instance is None else evolve(instance, event)
            if fact.type() in {"IpAssigned", "InstanceReady"}:
                data = encode(event_id(event), event, instance, Origin("benchmark"), "/benchmark")
                await jetstream.publish_async(append_subject(instance_id, event.type()), data)
    await jetstream.publish_async_completed()
    await connection.close()


def read(port: int) -> Counted:
    """Each sample of the metrics by name, and by the value of its first label."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found: Counted = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.labels.get("le") or "/".join(sample.labels.values())
            found.setdefault(sample.name, {})[key] = sample.value
    return found


def quantile(before: Counted, after: Counted, name: str) -> str:
    """The bucket in which this part of what was observed in between ends."""
    counts = {float(le): count - before.get(name, {}).get(le, 0.0) for le, count in after[name].items()}
    total = counts[float("inf")]
    for le, count in sorted(counts.items()):
        if count >= total * PERCENT:
            return f"≤ {le * 1000:g} ms"
    raise AssertionError("unreachable")


def looks(counted: Counted) -> float:
    return sum(counted.get("coldstart_health_look_lateness_seconds_count", {}).values())


@asynccontextmanager
async def workers(port: int, ids: list[UUID], secret: str, tls: str) -> AsyncGenerator[None]:
    """They serve while the block runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.watch.workers", str(port), tls),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        process.stdin.write("\n".join([secret, *map(str, ids)]).encode())  # type: ignore[union-attr]
        process.stdin.close()  # type: ignore[union-attr]
        await process.stdout.readline()  # type: ignore[union-attr]
        yield
    finally:
        process.kill()
        await process.wait()


@dataclass
class Health:
    """One process of the service, with its metrics and its processor time at the beginning of the measurement."""

    service: Service
    port: int
    before: Counted = field(default_factory=dict)
    cpu_s: float = 0.0

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.service.pid)

    def looks(self) -> float:
        return looks(read(self.port))

    def begin(self) -> None:
        self.before, self.cpu_s = read(self.port), cpu_s(self.process)

    def report(self, seconds: float) -> str:
        after, used_s = read(self.port), cpu_s(self.process) - self.cpu_s
        looked = looks(after) - looks(self.before)
        late = quantile(self.before, after, "coldstart_health_look_lateness_seconds_bucket")
        lag = quantile(self.before, after, "coldstart_event_loop_lag_seconds_bucket")
        void = sum(after.get("coldstart_health_void_looks_total", {}).values())
        return (
            f"{used_s / seconds * 100:5.1f} % of a core, {used_s / looked * 1e6:5.0f} µs a look, "
            f"{looked / seconds:5.0f} looks/s, begun late by {late} at p99, loop late by {lag} at p99, "
            f"{void:.0f} void looks, {self.process.memory_full_info().pss / 1e6:.0f} MB"
        )


def healths(folder: Path, count: int, environment: dict[str, str]) -> Iterator[Health]:
    for number in range(count):
        port = free_port()
        metrics = {"COLDSTART_METRICS_PORT": str(port)}
        log_file = folder / f"health-{number}.log"
        yield Health(Service("services.health", environment | metrics, log_file), port)


async def main(instances: int, processes: int, seconds: float, tls: str) -> None:
    configure_logs("benchmark", "error", "console")
    ids, secret, port = [uuid4() for _ in range(instances)], secrets.token_hex(32), free_port()
    print(f"{instances} ready instances, {processes} process(es), TLS {tls}  ({GOAL})", flush=True)
    with TemporaryDirectory() as name:
        async with EmbeddedNats(Path(name)) as nats, workers(port, ids, secret, tls), AsyncExitStack() as cleanup:
            await publish(nats.url, ids, tls)
            environment = {
                "COLDSTART_NATS_URL": nats.url,
                "COLDSTART_MASTER_SECRET": secret,
                "COLDSTART_LEASE_SECONDS": str(LEASE_S),
                "COLDSTART_WORKER_PORT": str(port),
                "COLDSTART_WORKER_TLS": tls,
                "COLDSTART_LOG_LEVEL": "warning",
                "COLDSTART_MAX_WATCHES": str(-(-instances // processes)),
            }
            watching = list(healths(Path(name), processes, environment))
            for health in watching:
                await cleanup.enter_async_context(health.service.supervised())
            async with asyncio.timeout(PATIENCE_S):
                while sum(health.looks() for health in watching) < instances * SETTLED:  # noqa: ASYNC110  they are asked
                    await asyncio.sleep(1)
            for health in watching:
                health.begin()
            await asyncio.sleep(seconds)
            for health in watching:
                print(health.report(seconds), flush=True)
                print(health.service.log_file.read_text()[-2000:], end="")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=5_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--tls", choices=["mutual", "off"], default="mutual")
    asked = parser.parse_args()
    asyncio.run(main(asked.instances, asked.processes, asked.seconds, asked.tls))
