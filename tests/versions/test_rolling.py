"""Services are replaced by those of the next version one by one, and back, while instances are launched."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from nats.js import JetStreamContext

from coldstart.stack.processes import Service
from services.progress.app import verify_once
from services.progress.settings import ProgressSettings
from shared.bus.agreed import TOPOLOGY, TOPOLOGY_VERSION
from shared.bus.connection import connect
from shared.bus.topology import DEAD_LETTERS, TRIGGERS, WATCH, Trigger
from shared.journal.streams import LIFECYCLE
from simulator.app import Simulator
from simulator.settings import SimulatorSettings
from tests.embedded.owners import PROJECT
from tests.integration.line import ADMIN_KEY, LIMITS, PATIENCE_S, AllSettings, Line, hearing, settings_of
from tests.integration.test_kills import a_free_port, settings_for
from tests.integration.victim import environment_of
from tests.loopback import NO_AUTHORITIES
from tests.versions.next_version import next_version

UP: Final = ("progress", "api", "scaler", "health", "provisioner")
"""Who reads events comes first, who records them last: docs/upgrading.md. Downwards it is the other way round."""
FAILURES: Final = {"ProvisioningFailed", "StartupFailed", "InstanceFailed", "ServerLost"}


@dataclass
class Fleet:
    """One process of each service, of whichever version. `trees` are the folders that the versions are in."""

    settings: AllSettings
    folder: Path
    trees: Mapping[str, Path]
    running: dict[str, AsyncExitStack] = field(default_factory=dict)

    async def start(self, name: str, version: str) -> None:
        parts = [environment_of(part) for part in settings_for(name, self.settings)]
        code = {"PYTHONPATH": str(self.trees[version]), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        environment = {**os.environ, **{name: value for part in parts for name, value in part.items()}, **code}
        self.running[name] = stack = AsyncExitStack()
        log = self.folder / f"{name}-{version}.log"
        await stack.enter_async_context(Service(f"services.{name}", environment, log).supervised())

    async def replace(self, name: str, version: str) -> None:
        """Stop it, and start it of that version. The api is where it was."""
        await self.running.pop(name).aclose()
        await self.start(name, version)

    def logged(self) -> str:
        return "\n".join(log.read_text() for log in self.folder.glob("*.log"))


@asynccontextmanager
async def fleet(folder: Path, nats_url: str, database_url: str) -> AsyncGenerator[tuple[Fleet, Line]]:
    async with AsyncExitStack() as cleanup:
        simulator = Simulator(SimulatorSettings(data_dir=folder / "simulator"))
        await cleanup.enter_async_context(simulator)
        settings = settings_of(simulator, nats_url, database_url, {"api": {"api_port": a_free_port()}})
        heard = await cleanup.enter_async_context(hearing(nats_url))
        trees = {"this": PROJECT, "next": next_version(folder / "next")}
        services = Fleet(settings, folder, trees)
        cleanup.push_async_callback(_close, services)
        for name in UP:
            await services.start(name, "this")
        url = f"http://127.0.0.1:{settings.api.api_port}"
        key = {"Authorization": f"Bearer {ADMIN_KEY}"}
        http = await cleanup.enter_async_context(
            httpx.AsyncClient(base_url=url, headers=key, timeout=PATIENCE_S, limits=LIMITS, verify=NO_AUTHORITIES)
        )
        control = await cleanup.enter_async_context(
            httpx.AsyncClient(base_url=f"{simulator.url}/_simulator", verify=NO_AUTHORITIES)
        )
        yield services, Line(simulator, url, http, control, heard, settings)


async def _close(services: Fleet) -> None:
    for stack in services.running.values():
        await stack.aclose()


async def is_ready(running: Line, instance_id: str) -> None:
    await running.heard.until(instance_id, "InstanceReady", *FAILURES)


async def test_services_are_upgraded_and_downgraded_one_by_one_while_instances_are_launched(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with fleet(tmp_path, nats_url, database_url) as (services, running):
        await running.offered()
        first = await running.create()
        await is_ready(running, first)
        launched = [first]
        for name, version in (*((name, "next") for name in UP), *((name, "this") for name in reversed(UP))):
            launched.append(await running.create())
            await services.replace(name, version)
            if (name, version) == (UP[-1], "next"):
                launched.append(await running.create())
                await running.heard.until(launched[-1], "WorkerGreeted")
        for instance_id in launched:
            await is_ready(running, instance_id)
        greeted = [one for one in launched if "WorkerGreeted" in running.heard.types(one)]
        assert len(greeted) >= 1
        assert running.heard.of(greeted[0])[-1]["data"]["instance"]["greeting"] == "hello"
        for instance_id in launched:
            await running.terminate(instance_id)
        for instance_id in launched:
            ended = await running.heard.until(instance_id, "InstanceTerminated")
            assert instance_id not in greeted or ended["data"]["instance"]["greeting"] == "hello"
            assert FAILURES.isdisjoint(running.heard.types(instance_id))
        assert await running.remaining() == {}
        await _all_is_well(nats_url, running.settings.progress)


async def _all_is_well(nats_url: str, settings: ProgressSettings) -> None:
    """Nothing was put aside, nothing waits, the newer filters are as they were declared, and everything verifies."""
    connection = await connect(nats_url, "test")
    jetstream = connection.jetstream()
    assert (await jetstream.stream_info(DEAD_LETTERS)).state.messages == 0
    info = await jetstream.stream_info(LIFECYCLE)
    assert (info.config.metadata or {})[TOPOLOGY] == str(TOPOLOGY_VERSION + 1)
    filters = (await jetstream.consumer_info(LIFECYCLE, WATCH.durable)).config.filter_subjects
    assert filters == [*WATCH.subjects, "lifecycle.*.WorkerGreeted"]
    async with asyncio.timeout(PATIENCE_S):
        for trigger in TRIGGERS:
            while await _waiting(jetstream, trigger):  # noqa: ASYNC110  the server tells nobody that it is empty
                await asyncio.sleep(0.05)
        while (verdict := await verify_once(settings)).behind:
            pass
    await connection.close()
    assert (verdict.differences, verdict.unreadable) == ((), ())


async def _waiting(jetstream: JetStreamContext, trigger: Trigger[Any]) -> int:
    info = await jetstream.consumer_info(LIFECYCLE, trigger.durable)
    return (info.num_pending or 0) + (info.num_ack_pending or 0)
