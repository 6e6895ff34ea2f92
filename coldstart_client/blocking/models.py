# Made from coldstart_client/aio/models.py by `make docs`: change that.
"""Models: the catalogue, what serves one, and what would fit."""

from collections.abc import Iterator
from typing import Final, Unpack
from uuid import UUID

from coldstart_client.addresses import path
from coldstart_client.answers import Explanation, FoundModels, Model, ModelFit, Offers
from coldstart_client.blocking.connection import Connection
from coldstart_client.bodies import InstanceBody, ModelBody
from coldstart_client.reading import read

_MODELS: Final = "models"


class Models:
    """Each method raises ApiError, NoAnswer or UnexpectedAnswer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Iterator[Model]:
        """The catalogue."""
        for row in self._connection.pages(path(_MODELS)):
            yield read(Model, row)

    def add(self, **body: Unpack[ModelBody]) -> Model:
        """Put a model into the catalogue, or change it there."""
        return read(Model, self._connection.call("POST", path(_MODELS), body=body, repeatable=True))

    def remove(self, model_id: UUID | str) -> None:
        """Take it out. Raises Conflict while something uses it."""
        self._connection.call("DELETE", path(_MODELS, model_id))

    def search(self, text: str, *, organization: str | None = None, limit: int | None = None) -> FoundModels:
        """Models of the catalogue and of the hub."""
        query = {"q": text, "organization": organization, "limit": limit}
        return read(FoundModels, self._connection.call("GET", path(_MODELS, "search"), query=query))

    def fit(self, **body: Unpack[InstanceBody]) -> ModelFit:
        """On which instance types such a launch would fit."""
        return read(ModelFit, self._connection.call("POST", path(_MODELS, "fit"), body=body, repeatable=True))

    def resolve(self, model: str) -> Explanation:
        """What this name means to this key, and which instances would answer."""
        return read(Explanation, self._connection.call("GET", path(_MODELS, "resolve"), query={"model": model}))

    def instance_types(self, *, provider: str | None = None) -> Offers:
        """What can be rented, and at which price."""
        return read(Offers, self._connection.call("GET", path("instance-types"), query={"provider": provider}))
