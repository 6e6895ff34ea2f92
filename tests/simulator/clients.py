"""The official SDK as the client: blocking calls, made in threads with a deadline; and the control API."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

import aiohttp
from pydantic import BaseModel
from scaleway import Client
from scaleway.block.v1 import BlockV1API
from scaleway.instance.v1 import Server, ServerAction, Task
from scaleway.instance.v1.custom_api import InstanceUtilsV1API
from scaleway.marketplace.v2 import MarketplaceV2API
from scaleway.product_catalog.v2alpha1 import ProductCatalogV2Alpha1PublicCatalogAPI

from simulator.app import Simulator

P = ParamSpec("P")
T = TypeVar("T")

DEADLINE = 60.0
ZONE = "fr-par-2"
IMAGE = "5c3d28db-33ce-4997-8572-f49506339283"


class Sdk:
    """The SDK's clients for one simulator."""

    def __init__(
        self,
        simulator: Simulator,
        *,
        secret_key: str | None = None,
        project_id: str | None = None,
        caller: str | None = None,
    ) -> None:
        settings = simulator.settings
        self.simulator = simulator
        self.url = simulator.url
        self.secret_key = secret_key or settings.secret_key.get_secret_value()
        client = Client(
            access_key=settings.access_key,
            secret_key=self.secret_key,
            api_url=simulator.url.replace("://", f"://{caller}:unused@") if caller else simulator.url,
            default_project_id=project_id or str(settings.project_id),
            default_organization_id=str(settings.organization_id),
            default_zone=ZONE,
        )
        self.instance = InstanceUtilsV1API(client)
        self.block = BlockV1API(client)
        self.marketplace = MarketplaceV2API(client)
        self.catalog = ProductCatalogV2Alpha1PublicCatalogAPI(client)

    async def create(self, *tags: str, **changes: Any) -> Server:
        wanted: dict[str, Any] = {
            "commercial_type": "L4-1-24G", "name": "worker", "image": IMAGE, "tags": list(tags), **changes,
        }  # fmt: skip
        server = (await ask(self.instance.create_server, **wanted)).server
        assert server is not None
        return server

    async def act(self, server_id: str, action: str) -> Task:
        task = (await ask(self.instance.server_action, server_id=server_id, action=ServerAction(action))).task
        assert task is not None
        return task

    async def get(self, server_id: str) -> Server:
        server = (await ask(self.instance.get_server, server_id=server_id)).server
        assert server is not None
        return server

    async def booted(self, *tags: str, **changes: Any) -> Server:
        """A server that is running and has what its create asked for."""
        server = await self.with_volume(*tags, **changes)
        await self.act(server.id, "poweron")
        return await eventually(lambda: self.get(server.id), lambda s: s.state == "running" and bool(s.public_ips))

    async def with_volume(self, *tags: str, **changes: Any) -> Server:
        server = await self.create(*tags, **changes)
        return await eventually(lambda: self.get(server.id), lambda s: bool(s.volumes))

    async def stopped(self, server_id: str) -> Server:
        await self.act(server_id, "poweroff")
        return await eventually(lambda: self.get(server_id), lambda s: s.state == "stopped")


class Control:
    """The simulator's own API."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = f"{url}/_simulator"
        self._session = session

    async def __call__(self, method: str, path: str, body: BaseModel | None = None) -> Any:
        data = None if body is None else body.model_dump_json()
        async with self._session.request(method, f"{self._url}/{path}", data=data) as response:
            response.raise_for_status()
            return await response.json()


async def ask(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The SDK knows no time-out of its own."""
    async with asyncio.timeout(DEADLINE):
        return await asyncio.to_thread(call, *args, **kwargs)


async def eventually(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """What `look` sees once `holds` is true of it."""
    async with asyncio.timeout(DEADLINE):
        while not holds(seen := await look()):  # noqa: ASYNC110 - the SDK can only be asked again
            await asyncio.sleep(0.005)
    return seen
