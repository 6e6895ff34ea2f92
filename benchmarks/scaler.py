"""What it costs to hold deployments, and how soon a held request wakes one among them: `python -m benchmarks.scaler`.

The real scaler in a process of its own, the real stream, two apis that tell their load, and replicas that are ready.
It prints the scaler's processor time while nothing changes, its memory, and the time from the report of the first held
request to DeploymentScaled and to the request for the launch. Lines of its log follow, of which there should be none.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID, uuid4

import psutil
from nats.aio.client import Client
from nats.aio.msg import Msg

from benchmarks.idle import cpu_s
from coldstart.embedded.nats import EmbeddedNats
from coldstart.stack.processes import Service
from shared.bus.connection import connect
from shared.bus.topology import SCALE, apply_topology
from shared.deployments import events as e
from shared.deployments.deployment import Deployment
from shared.deployments.fold import begin, evolve
from shared.deployments.wish import DeploymentWish, Scaling, Template
from shared.journal.envelope import encode
from shared.journal.journal import Journal
from shared.journal.recorded import Origin
from shared.journal.streams import LIFECYCLE, append_subject
from shared.launching import QUEUE, SUBJECT, LaunchReply, LaunchRequest
from shared.lifecycle.events import event_id
from shared.load import EVERY_S, DeploymentLoad, LoadReport
from shared.load import SUBJECT as LOAD
from shared.logs import configure_logs
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

LEASE_S: Final = 30.0
PATIENCE_S: Final = 300.0
REPLICAS: Final = 3
APIS: Final = 2
BETWEEN_WAKES_S: Final = 0.1
GOAL: Final = "goal: under 10 % of a core, a wake under 100 ms"


@dataclass
class Apis:
    """Two processes that tell their load once a second, and launch whatever they are asked for."""

    connection: Client
    busy: tuple[UUID, ...]
    processes: tuple[UUID, ...] = field(default_factory=lambda: tuple(uuid4() for _ in range(APIS)))
    launched_at: dict[UUID, float] = field(default_factory=dict)
    scaled_at: dict[UUID, float] = field(default_factory=dict)
    woken: asyncio.Condition = field(default_factory=asyncio.Condition)
    held: set[UUID] = field(default_factory=set)

    async def tell(self, process: UUID) -> None:
        loads = {of: DeploymentLoad(in_flight=8, arrived=8) for of in self.busy}
        loads |= {of: DeploymentLoad(held=1, arrived=1) for of in self.held if process == self.processes[0]}
        report = LoadReport(process=process, at=datetime.now(UTC), deployments=loads)
        await self.connection.publish(LOAD, report.model_dump_json().encode())

    async def tell_for_ever(self) -> None:
        while True:
            for process in self.processes:
                await self.tell(process)
            await asyncio.sleep(EVERY_S)

    async def launch(self, message: Msg) -> None:
        request = LaunchRequest.model_validate_json(message.data)
        async with self.woken:
            self.launched_at.setdefault(request.deployment_id, time.perf_counter())
            self.woken.notify_all()
        requested = f.instance_requested(instance_id=request.instance_id, occurred_at=datetime.now(UTC))
        journal = Journal(self.connection, actor="benchmark", source="/benchmark")
        await journal.request(requested, intent_id=uuid4())
        await message.respond(LaunchReply(outcome="launched").model_dump_json().encode())

    async def hear(self, message: Msg) -> None:
        self.scaled_at.setdefault(UUID(message.subject.split(".")[1]), time.perf_counter())

    async def wake(self, of: UUID) -> tuple[float, float]:
        """Seconds from the report to the event, and to the request for the launch."""
        self.held.add(of)
        began = time.perf_counter()
        await self.tell(self.processes[0])
        async with asyncio.timeout(PATIENCE_S), self.woken:
            await self.woken.wait_for(lambda: of in self.launched_at)
        return self.scaled_at[of] - began, self.launched_at[of] - began


def a_deployment(name: str, replicas: int) -> Iterator[tuple[e.DeploymentEvent, Deployment]]:
    """Its events, each with the deployment after it."""
    scaling = Scaling(min_replicas=replicas, max_replicas=REPLICAS)
    wish = DeploymentWish(name=name, template=Template(model="org/model"), scaling=scaling)
    of, at = e.deployment_id(name, None), datetime.now(UTC)
    created = e.DeploymentCreated(deployment_id=of, occurred_at=at, wish=wish, revision=1)
    deployment = begin(created)
    yield created, deployment
    scaled = e.DeploymentScaled(
        deployment_id=of, occurred_at=at, basis=1, before=0, after=replicas, reason="bounds", message="as asked for"
    )
    added = [
        e.ReplicaAdded(
            deployment_id=of, occurred_at=at, basis=2 + ordinal, ordinal=ordinal, revision=1, generation=1,
            instance_id=e.replica_id(of, 1, ordinal, 1), reason="scaled",
        )
        for ordinal in range(replicas)
    ]  # fmt: skip
    events: tuple[e.DeploymentEvent, ...] = (scaled, *added) if replicas else ()
    for event in events:
        deployment = evolve(deployment, event)
        yield event, deployment


async def publish(connection: Client, names: list[str], replicas: int) -> None:
    """What the journal would hold of them, as far as the scaler reads it: the first and the last event."""
    jetstream = connection.jetstream(publish_async_max_pending=500)
    origin, now = Origin("benchmark"), datetime.now(UTC)
    ready = [fact.model_copy(update={"occurred_at": now}) for fact in h.a_ready_instance()]
    for name in names:
        history = list(a_deployment(name, replicas))
        for event, after in history if len(history) == 1 else (history[0], history[-1]):
            body = encode(uuid4(), event, after, origin, "/benchmark")
            await jetstream.publish_async(append_subject(after.id, event.type()), body)
        for replica in history[-1][1].replicas:
            own = [fact.model_copy(update={"instance_id": replica.instance_id}) for fact in ready]
            body = encode(event_id(own[-1]), own[-1], f.given(*own), origin, "/benchmark")
            await jetstream.publish_async(append_subject(replica.instance_id, own[-1].type()), body)
    await jetstream.publish_async_completed()


@asynccontextmanager
async def scaling(folder: Path, nats_url: str) -> AsyncGenerator[Service]:
    """The scaler, without a database."""
    environment = {
        "COLDSTART_NATS_URL": nats_url,
        "COLDSTART_DATABASE_URL": "postgresql://127.0.0.1:9/none",
        "COLDSTART_LEASE_SECONDS": str(LEASE_S),
        "COLDSTART_LOG_LEVEL": "error",
    }
    service = Service("services.scaler", environment, folder / "scaler.log")
    async with service.supervised():
        yield service


async def held(connection: Client, count: int) -> None:
    jetstream = connection.jetstream()
    async with asyncio.timeout(PATIENCE_S):
        while (await jetstream.consumer_info(LIFECYCLE, SCALE.durable)).num_ack_pending != count:  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def main(deployments: int, asleep: int, busy: int, seconds: float) -> None:
    configure_logs("benchmark", "error", "console")
    awake = [f"awake-{number}" for number in range(deployments)]
    sleeping = [f"asleep-{number}" for number in range(asleep)]
    print(f"{deployments} deployments of {REPLICAS} replicas, {busy} with load, {asleep} asleep  ({GOAL})", flush=True)
    with TemporaryDirectory() as name:
        async with EmbeddedNats(Path(name)) as nats:
            connection = await connect(nats.url, "benchmark")
            await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=LEASE_S)
            await publish(connection, awake, REPLICAS)
            await publish(connection, sleeping, 0)
            apis = Apis(connection, tuple(e.deployment_id(each, None) for each in awake[:busy]))
            await connection.subscribe(SUBJECT, queue=QUEUE, cb=apis.launch)
            await connection.subscribe("lifecycle.*.DeploymentScaled", cb=apis.hear)
            telling = asyncio.create_task(apis.tell_for_ever())
            async with scaling(Path(name), nats.url) as service:
                await held(connection, deployments + asleep)
                await asyncio.sleep(seconds / 2)  # the first looks read everything
                await report(service, apis, sleeping, seconds)
                print(service.log_file.read_text()[-2000:], end="")
            telling.cancel()
            await connection.close()


async def report(service: Service, apis: Apis, sleeping: list[str], seconds: float) -> None:
    process = psutil.Process(service.pid)
    before = cpu_s(process)
    await asyncio.sleep(seconds)
    used = (cpu_s(process) - before) / seconds
    memory_mb = process.memory_full_info().pss / 1e6
    print(f"idle: {used * 100:.1f} % of a core, {used * 60:.1f} s a minute, {memory_mb:.0f} MB", flush=True)
    waits = []
    for name in sleeping:
        waits.append(await apis.wake(e.deployment_id(name, None)))
        await asyncio.sleep(BETWEEN_WAKES_S)
    for what, taken in zip(("DeploymentScaled", "launch asked for"), zip(*waits, strict=True), strict=True):
        p50, p99 = (quantiles(taken, n=100)[percent - 1] * 1000 for percent in (50, 99))
        print(f"{what:18} after {p50:.1f} ms at p50, {p99:.1f} ms at p99", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=1_000)
    parser.add_argument("--asleep", type=int, default=100)
    parser.add_argument("--busy", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    asyncio.run(main(asked.deployments, asked.asleep, asked.busy, asked.seconds))
