"""The models that may be served, as one immutable value that is swapped whole."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.lifecycle.events import Task


class Model(BaseModel):
    """`model` is its id on the Hugging Face hub, in the hub's own spelling; `gated`: its files need a token there.

    `weights_bytes` are those of its files; None where the hub does not tell it, or has not been asked yet.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    model: str
    task: Task
    gated: bool
    parameters: int | None = None
    weights_bytes: int | None = None
    created_at: AwareDatetime


class Catalogue:
    def __init__(self, by_id: Mapping[UUID, Model], by_name: Mapping[str, Model]) -> None:
        self._by_id = by_id
        self._by_name = by_name

    @classmethod
    def of(cls, models: Iterable[Model]) -> Self:
        held = tuple(models)
        return cls({model.id: model for model in held}, {model.model: model for model in held})

    def named(self, name: str) -> Model | None:
        """Matched whole, slash and all."""
        return self._by_name.get(name)

    def identified(self, model_id: UUID) -> Model | None:
        return self._by_id.get(model_id)

    def __iter__(self) -> Iterator[Model]:
        return iter(self._by_name.values())
