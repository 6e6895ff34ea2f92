"""The running api, with everything that it talks to."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
from nats.aio.client import Client
from pydantic import SecretStr

from services.api.app import Api, running
from services.api.settings import ApiSettings
from services.progress import app as progress
from services.progress.settings import ProgressSettings
from shared.journal.journal import Journal
from shared.journal.streams import LIFECYCLE
from shared.lifecycle.events import Event, InstanceRequested
from shared.lifecycle.instance import Instance
from shared.lifecycle.transport import WorkerTls
from shared.offers.instance_types import InstanceType, InstanceTypes
from tests.api.fakes import FakeHub, FakeWorker, a_worker, free_port
from tests.lifecycle import facts
from tests.loopback import NO_AUTHORITIES

ADMIN_KEY = "the-admin-key-of-the-tests-and-benchmarks"
MASTER_SECRET = "a master secret of at least thirty-two characters"
MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
EMBEDDING_MODEL = "BAAI/bge-small-en-v1.5"
OFFERED = (
    InstanceType(name="L4-1-24G", zones=("fr-par-1", "fr-par-2"), gpus=1, gpu="L4"),
    InstanceType(name="H100-1-80G", zones=("fr-par-2",), gpus=1, gpu="H100"),
)
BODY: dict[str, Any] = {"model": MODEL, "instance_types": ["L4-1-24G"]}
PATIENCE_S = 120.0
"""Seconds that tests wait at most, and an api for slow partners. A wait ends with what it waits for."""


@dataclass
class Stage:
    """One stream and one database; any number of apis, workers and projectors."""

    nats_url: str
    database_url: str
    connection: Client
    hub: FakeHub
    stack: AsyncExitStack
    worker_port: int

    def settings(self, **overrides: Any) -> ApiSettings:
        fields: dict[str, Any] = {
            "nats_url": SecretStr(self.nats_url),
            "database_url": SecretStr(self.database_url),
            "master_secret": SecretStr(MASTER_SECRET),
            "admin_key": SecretStr(ADMIN_KEY),
            "api_port": 0,
            "worker_port": self.worker_port,
            "hf_endpoint": self.hub.url,
            "hf_token": None,
            "hub_timeout_seconds": PATIENCE_S,
            "hub_search_timeout_seconds": PATIENCE_S,
            "router_staleness_seconds": PATIENCE_S,
            "stream_heartbeat_seconds": 0.2,
            "projection_wait_seconds": 0.1,
            "worker_connect_seconds": PATIENCE_S,
            "worker_silence_seconds": PATIENCE_S,
            "shutdown_seconds": 1.0,
        }
        return ApiSettings(**(fields | overrides))

    async def api(self, **overrides: Any) -> "RunningApi":
        api = await self.stack.enter_async_context(running(self.settings(**overrides)))
        return await self.stack.enter_async_context(reached(api, ADMIN_KEY))

    async def offer(self, *types: InstanceType) -> None:
        """What a provisioner does when it starts."""
        await InstanceTypes(self.connection.jetstream(), replicas=1).publish("scaleway", types or OFFERED)

    async def projector(self) -> None:
        await self.stack.enter_async_context(progress.running(self.progress_settings()))

    def progress_settings(self) -> ProgressSettings:
        return ProgressSettings(
            nats_url=SecretStr(self.nats_url), database_url=SecretStr(self.database_url), stream_heartbeat_seconds=0.2
        )

    async def worker(self) -> FakeWorker:
        return await self.stack.enter_async_context(a_worker(self.worker_port))

    @property
    def journal(self) -> Journal:
        """Where the other services record what they see."""
        return Journal(self.connection, actor="test", source="/coldstart/test")

    async def happened(self, *history: Event, instance_id: UUID | None = None) -> Instance:
        """Record these facts of one instance, by default of a new one."""
        instance_id = instance_id or uuid4()
        journal = self.journal
        for fact in history:
            its = fact.model_copy(update={"instance_id": instance_id})
            if isinstance(its, InstanceRequested):
                await journal.request(its, intent_id=uuid4())
            else:
                await journal.record(its)
        return await journal.load(instance_id)

    async def ready(
        self, address: str, *, instance_id: UUID | None = None, worker_tls: WorkerTls = "off", **specification: Any
    ) -> Instance:
        """An instance whose worker is ready at this address."""
        return await self.happened(
            facts.instance_requested(specification=facts.a_specification(**specification)),
            facts.instance_created(),
            facts.instance_started(),
            facts.ip_assigned(ip_address=address),
            facts.ssh_install_started(worker_tls=worker_tls),
            facts.ssh_install_completed(),
            facts.instance_ready(),
            instance_id=instance_id,
        )

    async def last_sequence(self) -> int:
        return (await self.connection.jetstream().stream_info(LIFECYCLE)).state.last_seq


@dataclass
class RunningApi:
    """`client` has the administrator's key; `as_` makes another."""

    url: str
    client: httpx.AsyncClient
    first_admin_key: str | None

    def stranger(self, **headers: str) -> httpx.AsyncClient:
        """A client without a key."""
        return a_client(self.url, **headers)

    def as_(self, key: str) -> httpx.AsyncClient:
        return a_client(self.url, Authorization=f"Bearer {key}")

    async def user_key(self, organization: str | None = None, **limits: Any) -> str:
        body = {"name": "somebody", "role": "user", "organization": organization, **limits}
        made = await self.client.post("/api-keys", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["key"])

    async def organization(self, slug: str, **limits: Any) -> dict[str, Any]:
        made = await self.client.post("/organizations", json={"slug": slug, "insist": True, **limits})
        assert made.status_code == 201, made.text
        return dict(made.json())

    async def offering(self, slug: str, code: str, model: str, **more: Any) -> dict[str, Any]:
        made = await self.client.post(f"/organizations/{slug}/offerings", json={"code": code, "model": model, **more})
        assert made.status_code == 201, made.text
        return dict(made.json())

    async def chat(self, model: str = MODEL, **more: Any) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}
        return await self.client.post("/v1/chat/completions", json=body)

    async def projected(self, instance: Instance) -> None:
        """Wait until the read model shows the instance in this state."""

        async def shown() -> bool:
            query = {"status": instance.status}
            items = (await self.client.get("/instances", params=query)).json()["items"]
            return any((item["id"], item["version"]) == (str(instance.id), instance.version) for item in items)

        await until(shown)

    async def routes(self, model: str = MODEL, path: str = "/v1/chat/completions", **body: Any) -> None:
        """Wait until a worker answers for the model."""

        async def answered() -> bool:
            request = body or {"messages": [{"role": "user", "content": "hello"}]}
            return (await self.client.post(path, json={"model": model, **request})).status_code == 200

        await until(answered)


@asynccontextmanager
async def reached(api: Api, key: str) -> AsyncGenerator[RunningApi]:
    async with a_client(api.url, Authorization=f"Bearer {key}") as client:
        yield RunningApi(api.url, client, api.first_admin_key)


def a_client(url: str, **headers: str) -> httpx.AsyncClient:
    """As patient as the tests: how fast an answer comes says how busy the machine is."""
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S, verify=NO_AUTHORITIES)


async def until(condition: Callable[[], Any], within_s: float = PATIENCE_S) -> None:
    """Ask repeatedly. Fails if it does not become true in time."""
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110  what is seen over HTTP has no event to wait for
            await asyncio.sleep(0.01)


@asynccontextmanager
async def a_stage(nats_url: str, database_url: str, connection: Client, hub: FakeHub) -> AsyncGenerator[Stage]:
    async with AsyncExitStack() as stack:
        yield Stage(nats_url, database_url, connection, hub, stack, free_port())
