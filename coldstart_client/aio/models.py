"""Models: the catalogue, what serves one, and what would fit."""

from collections.abc import AsyncIterator
from typing import Final, Unpack
from uuid import UUID

from coldstart_client.addresses import path
from coldstart_client.aio.connection import AsyncConnection
from coldstart_client.answers import Explanation, FoundModels, Model, ModelFit, Offers
from coldstart_client.bodies import InstanceBody, ModelBody
from coldstart_client.reading import read

_MODELS: Final = "models"


class AsyncModels:
    """Each method raises ApiError, NoAnswer or UnexpectedAnswer."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def list(self) -> AsyncIterator[Model]:
        """The catalogue."""
        async for row in self._connection.pages(path(_MODELS)):
            yield read(Model, row)

    async def add(self, **body: Unpack[ModelBody]) -> Model:
        """Put a model into the catalogue, or change it there."""
        return read(Model, await self._connection.call("POST", path(_MODELS), body=body, repeatable=True))

    async def remove(self, model_id: UUID | str) -> None:
        """Take it out. Raises Conflict while something uses it."""
        await self._connection.call("DELETE", path(_MODELS, model_id))

    async def search(self, text: str, *, organization: str | None = None, limit: int | None = None) -> FoundModels:
        """Models of the catalogue and of the hub."""
        query = {"q": text, "organization": organization, "limit": limit}
        return read(FoundModels, await self._connection.call("GET", path(_MODELS, "search"), query=query))

    async def fit(self, **body: Unpack[InstanceBody]) -> ModelFit:
        """On which instance types such a launch would fit."""
        return read(ModelFit, await self._connection.call("POST", path(_MODELS, "fit"), body=body, repeatable=True))

    async def resolve(self, model: str) -> Explanation:
        """What this name means to this key, and which instances would answer."""
        return read(Explanation, await self._connection.call("GET", path(_MODELS, "resolve"), query={"model": model}))

    async def instance_types(self, *, provider: str | None = None) -> Offers:
        """What can be rented, and at which price."""
        return read(Offers, await self._connection.call("GET", path("instance-types"), query={"provider": provider}))
