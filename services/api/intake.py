"""From the body of POST /instances to a request that can be recorded; whatever is wrong is said before anything is."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.cataloguing import Cataloguing
from services.api.problems import FieldError, invalid, unavailable
from shared.bus.instance_types import InstanceType, InstanceTypes
from shared.lifecycle.events import InstanceRequested, Specification

_LONGEST_NAME: Final = 63
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9.-]+")

Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$",
        max_length=_LONGEST_NAME,
        description="Letters, digits, spaces, dots, dashes and underscores. Default: derived from the model's id.",
    ),
]
Choice = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Image = Annotated[
    str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]*$", max_length=255, description="The vLLM image to run.")
]


class InstanceBody(BaseModel):
    """What POST /instances takes. `zones` and `instance_types` are in order of preference."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=200, description="As on the Hugging Face hub.")]
    name: Name | None = None
    provider: Literal["scaleway"] = "scaleway"
    zones: Annotated[list[Choice], Field(max_length=16)] = []
    instance_types: Annotated[list[Choice], Field(min_length=1, max_length=16)]
    volume_gb: Annotated[int, Field(ge=20, le=10_000, description="The boot volume, in 10⁹ bytes.")] = 200
    image: Image | None = None
    keep_for_inspection: bool = False


class Intake:
    def __init__(self, cataloguing: Cataloguing, instance_types: InstanceTypes) -> None:
        self._cataloguing = cataloguing
        self._instance_types = instance_types

    async def specification(self, body: InstanceBody) -> Specification:
        """With the model looked up. Raises Problem."""
        model, _ = await self._cataloguing.model(body.model)
        return Specification(
            name=body.name or _name_for(model.model),
            model=model.model,
            task=model.task,
            provider=body.provider,
            zones=tuple(body.zones),
            instance_types=tuple(body.instance_types),
            volume_gb=body.volume_gb,
            image=body.image,
            keep_for_inspection=body.keep_for_inspection,
        )

    async def check_offer(self, specification: Specification) -> None:
        """That the provider has such servers there. Raises Problem."""
        offered = await self._instance_types.of(specification.provider)
        if offered is None:
            detail = f"What {specification.provider} offers is not known yet: the provisioner tells it when it starts."
            raise unavailable("instance_types_unknown", "The instance types are not known yet", detail)
        errors = [*_unknown_types(specification, offered), *_unknown_zones(specification, offered)]
        if not errors and not _to_be_had(specification, offered):
            detail = f"none of {', '.join(specification.instance_types)} is offered in these zones."
            errors = [FieldError(pointer="/zones", detail=detail)]
        if errors:
            raise invalid(*errors)


def requested(instance_id: UUID, specification: Specification) -> InstanceRequested:
    return InstanceRequested(instance_id=instance_id, occurred_at=datetime.now(UTC), specification=specification)


def _name_for(model: str) -> str:
    """`Qwen/Qwen2.5-0.5B-Instruct` → `qwen2.5-0.5b-instruct`."""
    name = _NOT_IN_NAMES.sub("-", model.rpartition("/")[2].lower()).strip("-.")
    return name[:_LONGEST_NAME] or "model"


def _unknown_types(specification: Specification, offered: tuple[InstanceType, ...]) -> list[FieldError]:
    known = sorted(kind.name for kind in offered)
    return [
        FieldError(pointer=f"/instance_types/{at}", detail=f"{name} is not offered; known are {', '.join(known)}.")
        for at, name in enumerate(specification.instance_types)
        if name not in known
    ]


def _unknown_zones(specification: Specification, offered: tuple[InstanceType, ...]) -> list[FieldError]:
    known = sorted({zone for kind in offered for zone in kind.zones})
    return [
        FieldError(pointer=f"/zones/{at}", detail=f"{zone} is not known; known are {', '.join(known)}.")
        for at, zone in enumerate(specification.zones)
        if zone not in known
    ]


def _to_be_had(specification: Specification, offered: tuple[InstanceType, ...]) -> bool:
    wanted, zones = set(specification.instance_types), set(specification.zones)
    return any(kind.name in wanted and (not zones or zones & set(kind.zones)) for kind in offered)
