"""The whole line in one process: real NATS, PostgreSQL, SSH and HTTP, the simulated cloud through the official SDK."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from nats.aio.msg import Msg

from services.api import app as api
from services.api.settings import ApiSettings
from services.health import app as health
from services.health.settings import HealthSettings
from services.progress import app as progress
from services.progress.settings import ProgressSettings
from services.provisioner import app as provisioner
from services.provisioner.providers import scaleway
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from services.provisioner.settings import ProvisionerSettings
from services.scaler import app as scaler
from services.scaler.settings import ScalerSettings
from shared.bus.connection import connect
from shared.journal.streams import EVERY_EVENT
from simulator.app import Simulator
from simulator.cloud.gate import OnCall
from simulator.scenario import Scenario
from simulator.settings import SimulatorSettings
from tests.loopback import NO_AUTHORITIES

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
INSTANCE_TYPE = "L4-1-24G"
ADMIN_KEY = "cs-admin-integration-tests-0123456789"
MASTER_SECRET = "integration-tests-master-secret-0123456789"
INSTANCE_TAG = "coldstart:instance:"
PATIENCE_S = 150.0
LIMITS = httpx.Limits(max_connections=100, keepalive_expiry=1.0)
"""An idle connection is left well before the api would close it, perhaps while a request is on its way."""

Event = dict[str, Any]
Changes = dict[str, dict[str, Any]]


@dataclass
class Heard:
    """Every event as a plain subscriber of `lifecycle.>` gets it, in order."""

    _events: defaultdict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    _more: defaultdict[str, asyncio.Condition] = field(default_factory=lambda: defaultdict(asyncio.Condition))

    async def hear(self, body: bytes) -> None:
        event = json.loads(body)
        async with self._more[event["subject"]]:
            self._events[event["subject"]].append(event)
            self._more[event["subject"]].notify_all()

    def of(self, instance_id: str) -> list[Event]:
        return list(self._events[instance_id])

    def types(self, instance_id: str) -> list[str]:
        return [event["type"] for event in self.of(instance_id)]

    async def more(self, of: str, than: int) -> None:
        """Until there are more events of this instance or deployment than so many."""
        async with self._more[of]:
            await self._more[of].wait_for(lambda: len(self._events[of]) > than)

    async def until(self, instance_id: str, *types: str, count: int = 1, within_s: float = PATIENCE_S) -> Event:
        """The `count`-th event of any of these types; fails when it does not come with what was heard instead."""
        try:
            async with asyncio.timeout(within_s), self._more[instance_id]:
                while True:
                    found = [event for event in self.of(instance_id) if event["type"] in types]
                    if len(found) >= count:
                        return found[count - 1]
                    await self._more[instance_id].wait()
        except TimeoutError:
            last = self.of(instance_id)[-1]["data"]["event"] if self.of(instance_id) else None
            raise AssertionError(f"no {types} among {self.types(instance_id)}; the last one: {last}") from None


@dataclass(frozen=True)
class AllSettings:
    progress: ProgressSettings
    health: HealthSettings
    provisioner: ProvisionerSettings
    api: ApiSettings
    scaler: ScalerSettings
    scaleway: ScalewaySettings


@dataclass
class Line:
    simulator: Simulator
    api_url: str
    http: httpx.AsyncClient
    control: httpx.AsyncClient
    heard: Heard
    settings: AllSettings
    key: str = ADMIN_KEY

    async def create(self, **body: Any) -> str:
        """Request an instance; returns its id."""
        answer = await self._requested(body, {})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def create_until_accepted(self, within_s: float) -> str:
        """As a careful client does while the api keeps dying: the same key, until it answers."""
        async with asyncio.timeout(within_s):
            while True:
                try:
                    answer = await self._requested({}, {"Idempotency-Key": "a-careful-client"})
                    assert answer.status_code == 202, answer.text
                    return str(answer.json()["id"])
                except httpx.TransportError:
                    await asyncio.sleep(0.1)  # it is being started again

    async def _requested(self, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        """Asked again while a provisioner that has just been started has not told yet what there is."""
        asked = {"model": MODEL, "instance_types": [INSTANCE_TYPE], **body}
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await self.http.post("/instances", json=asked, headers=headers)
                if answer.status_code != 503 or answer.json()["code"] != "instance_types_unknown":
                    return answer
                await asyncio.sleep(0.1)

    async def offered(self) -> None:
        """Until it is known what the provider offers: a provisioner of its own process tells it when it starts."""
        async with asyncio.timeout(PATIENCE_S):
            while not (await self.http.get("/instance-types")).json()["items"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def ready(self, **body: Any) -> str:
        instance_id = await self.create(**body)
        await self.heard.until(instance_id, "InstanceReady", "StartupFailed", "ProvisioningFailed", "InstanceFailed")
        assert (await self.show(instance_id))["status"] == "ready"
        return instance_id

    async def show(self, instance_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/instances/{instance_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def timeline(self, instance_id: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": 200}
        while True:
            page = (await self.http.get(f"/instances/{instance_id}/timeline", params=query)).json()
            rows += page["items"]
            if not page["next_cursor"]:
                return rows
            query["cursor"] = page["next_cursor"]

    async def timeline_up_to(self, instance_id: str, version: int) -> list[dict[str, Any]]:
        """The timeline once the projection has come that far, from an api that may be starting again."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    rows = await self.timeline(instance_id)
                except httpx.TransportError:
                    rows = []
                if rows and rows[-1]["version"] >= version:
                    return rows
                await asyncio.sleep(0.1)

    async def terminate(self, instance_id: str) -> None:
        answer = await self.http.delete(f"/instances/{instance_id}")
        assert answer.status_code == 202, answer.text

    async def account(self) -> dict[str, Any]:
        return dict((await self.control.get("account")).json())

    async def remaining(self) -> dict[str, list[str]]:
        """What the account still holds and pays for."""
        return {kind: ids for kind, ids in (await self.account())["remaining"].items() if ids}

    async def rehearse(self, scenario: Scenario, instance_id: str | None = None) -> None:
        """From now on: for what bears this instance's tag, or for everything without a scenario of its own."""
        path = "scenario" if instance_id is None else f"scenarios/{INSTANCE_TAG}{instance_id}"
        answer = await self.control.put(path, content=scenario.model_dump_json())
        assert answer.status_code == 200, answer.text

    async def pause(self) -> None:
        """The whole cloud answers 503 from now on, until it is resumed."""
        (await self.control.post("pause")).raise_for_status()

    async def resume(self) -> None:
        (await self.control.post("resume")).raise_for_status()


def scaleway_settings(simulator: Simulator) -> ScalewaySettings:
    settings = simulator.settings
    return ScalewaySettings(
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        default_project_id=settings.project_id,
        default_zone=settings.zones[0],
        api_url=simulator.url,
    )


def settings_of(simulator: Simulator, nats_url: str, database_url: str, changes: Changes) -> AllSettings:
    """Of every service: as in production, but in fractions of a second."""
    bus = {"nats_url": nats_url, "lease_seconds": 6.0}
    secret = {"master_secret": MASTER_SECRET}
    database = {"database_url": database_url}
    hosts = {"ssh_port": simulator.settings.ssh_port, "worker_port": simulator.settings.worker_port}
    swift = {
        "call_timeout_seconds": 1.5,
        "tag_visibility_seconds": 0.4,
        "settle_seconds": 2.0,
        "poll_seconds": 0.05,
        "backoff_seconds": 0.1,
        "longest_backoff_seconds": 0.5,
        "longest_release_backoff_seconds": 0.5,
        "volume_patience_seconds": 1.0,
        "stop_grace_seconds": 2.0,
    }
    looks = {"ready_look_seconds": 0.2, "draining_look_seconds": 0.1, "router_staleness_seconds": 0.3}
    often = {"moving_look_seconds": 0.2, "steady_look_seconds": 0.5, "launch_retry_seconds": 0.2}
    hub = {"HF_ENDPOINT": simulator.hub_url}
    keys = {"admin_key": ADMIN_KEY, "api_port": 0, **hub}
    ports = {"worker_port": simulator.settings.worker_port}
    return AllSettings(
        progress=ProgressSettings.model_validate({**bus, **database, **changes.get("progress", {})}),
        health=HealthSettings.model_validate({**bus, **secret, **hosts, **looks, **changes.get("health", {})}),
        provisioner=ProvisionerSettings.model_validate(
            {**bus, **secret, **hosts, **swift, **hub, **changes.get("provisioner", {})}
        ),
        api=ApiSettings.model_validate({**bus, **secret, **database, **keys, **ports, **changes.get("api", {})}),
        scaler=ScalerSettings.model_validate({**bus, **database, **often, **changes.get("scaler", {})}),
        scaleway=scaleway_settings(simulator),
    )


@asynccontextmanager
async def line(  # noqa: PLR0913 - each says another way in which it may differ
    folder: Path,
    nats_url: str,
    database_url: str,
    *,
    scenario: Scenario | None = None,
    on_call: OnCall | None = None,
    changes: Changes | None = None,
    without: str | None = None,
    scaled: bool = False,
    simulator: Simulator | None = None,
) -> AsyncGenerator[Line]:
    """Everything running in this process; `changes` are settings by service, `without` is a service to leave out.

    `scaled`: with a scaler, which only deployments need.

    `simulator`: one that runs already, and goes on afterwards.
    """
    async with AsyncExitStack() as cleanup:
        if simulator is None:
            simulator = Simulator(SimulatorSettings(data_dir=folder / "simulator", scenario=scenario or Scenario()))
            simulator.on_call = on_call
            await cleanup.enter_async_context(simulator)
        settings = settings_of(simulator, nats_url, database_url, changes or {})
        heard = await cleanup.enter_async_context(hearing(nats_url))
        if without != "progress":
            await cleanup.enter_async_context(progress.running(settings.progress))
        if without != "health":
            await cleanup.enter_async_context(health.running(settings.health))
        if without != "provisioner":
            make = scaleway.making(settings.scaleway, provisioner.provider_context(settings.provisioner))
            await cleanup.enter_async_context(provisioner.running(settings.provisioner, [make]))
        if scaled:
            await cleanup.enter_async_context(scaler.running(settings.scaler))
        url = f"http://127.0.0.1:{settings.api.api_port}"
        if without != "api":
            url = (await cleanup.enter_async_context(api.running(settings.api))).url
        http = await cleanup.enter_async_context(
            httpx.AsyncClient(
                base_url=url,
                headers={"Authorization": f"Bearer {ADMIN_KEY}"},
                timeout=PATIENCE_S,
                limits=LIMITS,
                verify=NO_AUTHORITIES,
            )
        )
        control = await cleanup.enter_async_context(
            httpx.AsyncClient(base_url=f"{simulator.url}/_simulator", verify=NO_AUTHORITIES)
        )
        yield Line(simulator, url, http, control, heard, settings)


@asynccontextmanager
async def hearing(nats_url: str) -> AsyncGenerator[Heard]:
    heard = Heard()
    connection = await connect(nats_url, "a plain subscriber")

    async def hear(message: Msg) -> None:
        await heard.hear(message.data)

    await connection.subscribe(EVERY_EVENT, cb=hear)
    yield heard
    await connection.close()
