"""The models that can be served, and their offerings: one immutable value that is replaced as a whole."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Self, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.api.tenancy.offerings import Offering
from shared.lifecycle.wish import Task

ServedModels: TypeAlias = Callable[[str, UUID], str | None]
"""The model that a deployment serves now, by its name and the organisation that names it; None if there is none."""


class Model(BaseModel):
    """`model` is its id on the Hugging Face hub, in the hub's spelling; `gated`: its files need a token there.

    `weights_bytes` is the size of its files; None if the hub does not say it, or was not asked yet.
    `trust_remote_code`: an administrator allows workers to run code from its repository.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    model: str
    task: Task
    gated: bool
    parameters: int | None = None
    weights_bytes: int | None = None
    trust_remote_code: bool = False
    created_at: AwareDatetime


class Catalogue:
    def __init__(
        self,
        by_id: Mapping[UUID, Model],
        by_name: Mapping[str, Model],
        offerings: Mapping[UUID, Mapping[str, Offering]],
        served: ServedModels,
    ) -> None:
        self._served = served
        self._by_id = by_id
        self._by_name = by_name
        self._offerings = offerings

    @classmethod
    def of(
        cls, models: Iterable[Model], offerings: Iterable[Offering] = (), served: ServedModels = lambda *_: None
    ) -> Self:
        held = tuple(models)
        offered: dict[UUID, dict[str, Offering]] = {}
        for offering in offerings:
            offered.setdefault(offering.organization_id, {})[offering.code] = offering
        return cls({model.id: model for model in held}, {model.model: model for model in held}, offered, served)

    def named(self, name: str) -> Model | None:
        """Matched whole, slash and all."""
        return self._by_name.get(name)

    def identified(self, model_id: UUID) -> Model | None:
        return self._by_id.get(model_id)

    def offered(self, offering: Offering) -> Model | None:
        """The model that it means now."""
        served = self._served(offering.deployment, offering.organization_id) if offering.deployment else None
        return self._by_name.get(served or "") or self._by_id.get(offering.model_id)

    def lost_its_deployment(self, offering: Offering) -> bool:
        """It names one that is not known now, and means what that served at first."""
        return offering.deployment is not None and self._served(offering.deployment, offering.organization_id) is None

    def offering(self, organization_id: UUID, code: str) -> Offering | None:
        """Active or not."""
        return self._offerings.get(organization_id, {}).get(code)

    def offerings(self, organization_id: UUID) -> Iterable[Offering]:
        """All of an organisation's, active or not."""
        return self._offerings.get(organization_id, {}).values()

    def __iter__(self) -> Iterator[Model]:
        return iter(self._by_name.values())
