"""The cluster: three NATS nodes, PostgreSQL, a simulated cloud, and two processes of each service."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic_settings import BaseSettings

from coldstart.embedded.postgres import EmbeddedPostgres
from simulator.app import Simulator
from simulator.cloud.gate import Moment, Subject
from simulator.scenario import Call, Scenario
from simulator.settings import SimulatorSettings
from tests.api.fakes import free_port
from tests.chaos.faults import NODES, REPLICAS, SERVICES
from tests.chaos.nodes import Cluster, cluster
from tests.integration.forking import Forked
from tests.integration.line import INSTANCE_TAG, INSTANCE_TYPE, AllSettings, Changes, settings_of
from tests.integration.victim import environment_of
from tests.loopback import NO_AUTHORITIES

LEASE: Final = {"lease_seconds": 3.0, "stream_replicas": NODES}
CHANGES: Final[Changes] = {
    "progress": LEASE,
    "health": LEASE,
    "api": LEASE,
    "scaler": LEASE,
    "provisioner": {
        **LEASE,
        "call_timeout_seconds": 0.9,
        "tag_visibility_seconds": 0.3,
        "settle_seconds": 1.5,
        "power_off_seconds": 3.0,
        "detach_seconds": 3.0,
        "launch_tries": 500,
        "install_tries": 200,
        "reconcile_seconds": 5.0,
        "hand_over_seconds": 12.0,
        "lost_after_seconds": 4.0,
    },
}
CLOUD: Final = Scenario(tag_visible=0.1, hang=0.5, unlisted=(INSTANCE_TYPE,))


class Postgres:
    """PostgreSQL whose processes die and stand still, always on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._server: EmbeddedPostgres | None = None
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        server = EmbeddedPostgres(self._folder, port=self._port)
        await server.__aenter__()
        self._server = server

    @property
    def url(self) -> str:
        assert self._server is not None
        return self._server.url

    async def killed(self, seconds: float) -> None:
        """kill -9 of the postmaster; it is back after so long."""
        async with self._changing:
            assert self._server is not None
            os.kill(self._server.pid, signal.SIGKILL)
            await self.close()
            await asyncio.sleep(seconds)
            await self.start()

    async def stalled(self, seconds: float) -> None:
        """The postmaster alone: who is connected goes on, and nobody can connect."""
        async with self._changing:
            assert self._server is not None
            os.kill(self._server.pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            os.kill(self._server.pid, signal.SIGCONT)

    async def close(self) -> None:
        if self._server is not None:
            await self._server.__aexit__(None, None, None)


@dataclass
class Ledger:
    """What must never be: seen at each power-on."""

    doubled: list[str] = field(default_factory=list)

    def power_on(self, servers: list[dict[str, Any]], instance_id: str) -> None:
        own = [each for each in servers if INSTANCE_TAG + instance_id in each["tags"]]
        running = [each["id"] for each in own if each["state"] != "stopped" and not each["deleted_at"]]
        if len(running) > 1:
            self.doubled.append(f"{instance_id}: {running}")


class Replica:
    """One process of a service, started again whenever it ends. It remembers when it was struck."""

    def __init__(self, name: str, forked: Forked) -> None:
        self.name = name
        self.forked = forked
        self.struck_at: list[float] = []
        self.still = False

    def signal(self, number: signal.Signals) -> bool:
        """Whether there was a process."""
        if self.forked.pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(self.forked.pid, number)
            self.struck_at.append(asyncio.get_running_loop().time())
            return True
        return False


@dataclass
class World:
    simulator: Simulator
    nats: Cluster
    postgres: Postgres
    settings: AllSettings
    replicas: dict[str, Replica]
    api_urls: tuple[str, ...]
    control: httpx.AsyncClient
    ledger: Ledger
    lost: set[str] = field(default_factory=set)
    """Instances whose machine was deleted by a fault: they may fail."""

    async def account(self) -> dict[str, Any]:
        return dict((await self.control.get("account")).json())

    def apis(self) -> list[Replica]:
        return [self.replicas[f"api-{number}"] for number in range(REPLICAS)]


@asynccontextmanager
async def world(folder: Path) -> AsyncGenerator[World]:
    """Everything serves when it is yielded, and all of it is ended afterwards."""
    ledger = Ledger()
    async with AsyncExitStack() as cleanup:
        simulator = Simulator(SimulatorSettings(data_dir=folder / "simulator", scenario=CLOUD))
        control: list[httpx.AsyncClient] = []

        async def on_call(subject: Subject, moment: Moment) -> None:
            if (subject.call, moment) == (Call.POWERON, Moment.DONE):
                servers = (await control[0].get("account")).json()["servers"]
                for tag in subject.tags:
                    if tag.startswith(INSTANCE_TAG):
                        ledger.power_on(servers, tag.removeprefix(INSTANCE_TAG))

        simulator.on_call = on_call
        await cleanup.enter_async_context(simulator)
        control.append(await cleanup.enter_async_context(_client(f"{simulator.url}/_simulator")))
        nats = await cleanup.enter_async_context(cluster(folder))
        postgres = Postgres(folder)
        cleanup.push_async_callback(postgres.close)
        await postgres.start()
        settings = settings_of(simulator, nats.url(), postgres.url, CHANGES)
        ports = [free_port() for _ in range(REPLICAS)]
        replicas = {
            name: Replica(name, Forked(f"services.{service}", environment, folder / f"{name}.log"))
            for service in SERVICES
            for number in range(REPLICAS)
            for name in [f"{service}-{number}"]
            for environment in [_environment(service, settings, nats, ports[number])]
        }
        for replica in replicas.values():
            await cleanup.enter_async_context(replica.forked.supervised())
        urls = tuple(f"http://127.0.0.1:{port}" for port in ports)
        yield World(simulator, nats, postgres, settings, replicas, urls, control[0], ledger)


def _environment(service: str, settings: AllSettings, nats: Cluster, port: int) -> dict[str, str]:
    own: list[BaseSettings] = [getattr(settings, service)]
    if service == "provisioner":
        own.append(settings.scaleway)
    environment = {name: value for part in own for name, value in environment_of(part).items()}
    environment["COLDSTART_NATS_URL"] = nats.url(service)
    if service == "api":
        environment["COLDSTART_API_PORT"] = str(port)
    return environment


def _client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, verify=NO_AUTHORITIES, timeout=30.0)
