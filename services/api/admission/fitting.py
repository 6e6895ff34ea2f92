"""Which instance types a model fits, with how long a context: what a launch on each of them would be told."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.admission import fit
from services.api.admission.intake import Intake, Wanted
from services.api.admission.launch_body import InstanceBody
from services.api.admission.room import Need, room_on
from services.api.admission.vllm_images import certain_version, default_utilization
from services.api.catalogue.hub.contents import Contents
from services.api.refusals import FieldError, invalid
from services.api.tenancy.organizations import Organization
from shared.lifecycle.wish import Task
from shared.offers.instance_types import InstanceType
from shared.worker_arguments import tensor_parallel_size

_TYPES: Final = "/instance_types"


class TypeFit(BaseModel):
    """`hardly`: a launch is accepted with a warning. `why` says what is in the way on this type, if anything is.

    Unknown figures are null.
    """

    model_config = ConfigDict(frozen=True)
    provider: str
    instance_type: str
    fits: Literal["yes", "hardly", "no", "unknown"]
    why: str | None
    gpus: Annotated[int, Field(description="How many of its GPUs the model uses.")]
    context: Annotated[int | None, Field(description="The longest context that fits, in tokens.")]
    requests: Annotated[int | None, Field(description="How many requests of the launch's context fit at once.")]
    hourly_price: float | None
    currency: str | None


class ModelFit(BaseModel):
    """`commit` is what was looked at; null if the hub did not answer. `why_not`: why no type would do.

    `warnings` are those that do not depend on the type.
    """

    model_config = ConfigDict(frozen=True)
    model: str
    task: Task
    commit: str | None
    why_not: list[str]
    warnings: list[str]
    items: Annotated[list[TypeFit], Field(description="Types with GPUs, the cheapest first.")]
    next_cursor: None = None


class Fitting:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def of(self, body: InstanceBody, organization: Organization | None) -> ModelFit:
        """On every type of the body's provider, or of all. Nothing is recorded. Raises Refused, as a launch does."""
        model = await self._intake.meant(body, organization)
        reply = await self._intake.contents(body, model)
        offered = await self._intake.offered()
        if body.provider is not None and body.provider not in offered:
            detail = f"{body.provider} is not known; known are {', '.join(offered)}."
            raise invalid(FieldError(pointer="/provider", detail=detail))
        versions = await self._intake.versions(body.image, offered)
        contents = reply if isinstance(reply, Contents) else None
        items, why_not, warnings = [], dict[str, None](), dict[str, None]()
        for provider in [body.provider] if body.provider else offered:
            for kind in (kind for kind in offered.get(provider, ()) if kind.gpus):
                named = body.model_copy(update={"provider": provider, "instance_types": [kind.name], "zones": []})
                wanted = self._intake.wanted(named, organization, model, reply, offered, versions=versions)
                items.append(_on(kind, wanted, contents))
                of_all = (error.detail for error in wanted.errors if not error.pointer.startswith(_TYPES))
                why_not |= dict.fromkeys(of_all)
                doubts = (one for one in wanted.findings.warnings if not one.startswith(f"{kind.name}: "))
                warnings |= dict.fromkeys(doubts)
        items.sort(key=lambda one: (one.hourly_price is None, one.hourly_price or 0.0, one.instance_type))
        commit = contents.commit if contents else None
        return ModelFit(
            model=model.model,
            task=model.task,
            commit=commit,
            why_not=list(why_not),
            warnings=list(warnings),
            items=items,
        )


def _on(kind: InstanceType, wanted: Wanted, contents: Contents | None) -> TypeFit:
    wish, found, weights = wanted.wish, wanted.findings, wanted.weights
    need = None if contents is None else Need.of(contents.config, wish)
    share = default_utilization(certain_version(wish.image or kind.image, wanted.versions))
    room = None if need is None else room_on(kind, share, wish, weights, need)
    refused = list(_refused(kind, wanted))
    doubts = [warning for warning in found.warnings if warning.startswith(f"{kind.name}: ")]
    known = kind.gpu_memory_gb is not None and weights.weights_bytes is not None
    return TypeFit(
        provider=wish.provider,
        instance_type=kind.name,
        fits="no" if refused or wanted.errors else "hardly" if doubts else "yes" if known else "unknown",
        why=" ".join(refused or doubts) or None,
        gpus=min(fit.WeightsPlacement.of(wish.vllm_args, _tensor(kind, wanted)).gpus, kind.gpus),
        context=room.longest or None if room else None,
        requests=room.at_once if room and room.longest else None,
        hourly_price=kind.hourly_price,
        currency=kind.currency,
    )


def _refused(kind: InstanceType, wanted: Wanted) -> Iterator[str]:
    """What this type would be refused for; what holds for every type is not repeated."""
    if kind.why_unusable is not None:
        yield f"{kind.name} is unusable: {kind.why_unusable}."
    yield from (error.detail for error in fit.misfits(wanted.wish, wanted.findings, (kind,)))
    yield from (error.detail for error in wanted.errors if error.pointer.startswith(_TYPES))


def _tensor(kind: InstanceType, wanted: Wanted) -> int:
    return tensor_parallel_size(wanted.wish.vllm_args, wanted.findings.tensor_parallel_sizes, kind.gpus)
