"""The client: what it finds its api by, and what can be asked of it."""

from types import TracebackType
from typing import Final, Self

import httpx

from coldstart_client.aio.connection import RETRIES, TIMEOUT_S, AsyncConnection
from coldstart_client.aio.deployments import AsyncDeployments
from coldstart_client.aio.events import AsyncEvents
from coldstart_client.aio.instances import AsyncInstances
from coldstart_client.aio.models import AsyncModels
from coldstart_client.settings import Address


class AsyncClient:
    """An api, by its address and a key.

    Both default to what the command line uses: COLDSTART_API_URL and COLDSTART_API_KEY from the environment or the
    settings file, else the stack that runs in the data folder.

    `timeout_s`: of each step of a request. `retries`: how often a request that may be repeated is sent again if the api
    does not answer. `transport` replaces httpx's own. Close it after use, or use it as a context manager.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ConfigurationError."""
        address = Address.found(url, key)
        self.connection: Final = AsyncConnection(address, timeout_s=timeout_s, retries=retries, transport=transport)
        """For what has no method here: JSON in and out."""
        self.deployments: Final = AsyncDeployments(self.connection)
        self.events: Final = AsyncEvents(self.connection)
        self.instances: Final = AsyncInstances(self.connection)
        self.models: Final = AsyncModels(self.connection)

    @property
    def url(self) -> str:
        return self.connection.url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self.connection.aclose()
