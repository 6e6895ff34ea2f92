# Made from coldstart_client/aio/client.py by `make docs`: change that.
"""The client: what it finds its api by, and what can be asked of it."""

from types import TracebackType
from typing import Final, Self

import httpx

from coldstart_client.blocking.connection import RETRIES, TIMEOUT_S, Connection
from coldstart_client.blocking.deployments import Deployments
from coldstart_client.blocking.events import Events
from coldstart_client.blocking.instances import Instances
from coldstart_client.blocking.models import Models
from coldstart_client.settings import Address


class Client:
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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Raises ConfigurationError."""
        address = Address.found(url, key)
        self.connection: Final = Connection(address, timeout_s=timeout_s, retries=retries, transport=transport)
        """For what has no method here: JSON in and out."""
        self.deployments: Final = Deployments(self.connection)
        self.events: Final = Events(self.connection)
        self.instances: Final = Instances(self.connection)
        self.models: Final = Models(self.connection)

    @property
    def url(self) -> str:
        return self.connection.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()
