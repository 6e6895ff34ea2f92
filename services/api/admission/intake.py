"""Turns the body of POST /instances into a request that can be recorded. Errors are reported before anything is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.api.access.api_keys import ApiKey
from services.api.admission import fit, vllm_images
from services.api.admission.errors import InstanceTypesUnknown, ModelNotServable
from services.api.admission.judging import judged
from services.api.admission.launch_body import InstanceBody, wish_of
from services.api.admission.launch_rights import LaunchRights
from services.api.admission.repository_rules import StoredWeights, weights_of
from services.api.admission.spending import Offered
from services.api.admission.stores import Stores
from services.api.admission.vllm_args import refused
from services.api.catalogue.cataloguing import Cataloguing, Meant
from services.api.catalogue.hub.client import Reply
from services.api.catalogue.hub.contents import Contents
from services.api.catalogue.image_versions import ImageVersionRepository, ImageVersions
from services.api.catalogue.simulated import Simulated
from services.api.refusals import FieldError, Refused, invalid
from services.api.tenancy.organizations import Organization
from shared.clock import CLOCK
from shared.images import repository_of
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import DEFAULT_PROVIDER, FailedPlace, Findings, Wish
from shared.offers.candidates import candidates, types_of
from shared.offers.instance_types import InstanceType, InstanceTypes
from shared.offers.provider_status import ProviderStatuses

_SUGGESTED: Final = 4
"""How many types a refusal suggests instead of an unusable one."""
_MAIN: Final = (None, "main")


@dataclass(frozen=True)
class Wanted:
    """A launch before its admission: the wish, the findings about it, its model and weights, offers and images.

    `errors`: why vLLM would not serve the model so, or refuse an option.
    """

    wish: Wish
    findings: Findings
    model: Meant
    weights: fit.Weights
    offered: Offered
    versions: ImageVersions
    errors: tuple[FieldError, ...] = ()


class Intake:
    def __init__(
        self,
        *,
        cataloguing: Cataloguing,
        instance_types: InstanceTypes,
        statuses: ProviderStatuses,
        rights: LaunchRights,
        simulated: Simulated,
        image_versions: ImageVersionRepository,
        stores: Stores,
    ) -> None:
        self._stores = stores
        self._image_versions = image_versions
        self._statuses = statuses
        self._simulated = simulated
        self._cataloguing = cataloguing
        self._instance_types = instance_types
        self._rights = rights

    async def judged(
        self, body: InstanceBody, organization: Organization | None, *, avoid: tuple[FailedPlace, ...] = ()
    ) -> Wanted:
        """What the body asks for, and what is found out about it. Raises Refused, JournalUnavailable."""
        model = await self.meant(body, organization)
        contents = await self.contents(body, model)
        async with self._stores.patiently():
            offered = await self.offered()
        versions = await self.versions(body.image, offered)
        return self.wanted(body, organization, model, contents, offered, versions=versions, avoid=avoid)

    async def meant(self, body: InstanceBody, organization: Organization | None) -> Meant:
        """The model that the organisation (or everybody) means; looked up, but not catalogued yet. Raises Refused."""
        errors = list(refused(body.vllm_args))
        if body.image is not None and repository_of(body.image) is None:
            detail = f"{body.image} is no name of an image. Write it as in vllm/vllm-openai:v0.32.0."
            errors.append(FieldError(pointer="/image", detail=detail))
        if errors:
            raise invalid(*errors)
        model = await self._cataloguing.meant(body.model, organization, body.task)
        if body.task not in (None, model.task):
            detail = f"{model.model} is known for the task {model.task}. Leave the task out, or have an administrator "
            detail += f"add the model anew: coldstart models add {model.model} --task {body.task}."
            raise invalid(FieldError(pointer="/task", detail=detail))
        return model

    async def contents(self, body: InstanceBody, model: Meant) -> Reply:
        """What the hub says of the repository that the worker would load."""
        return await self._cataloguing.contents(model.model, body.revision)

    async def contents_of(self, instance: Instance) -> Reply:
        """As `contents`, of what each install of the instance loads."""
        return await self._cataloguing.contents(instance.specification.model, instance.loaded_revision)

    async def offered(self) -> Offered:
        return await self._instance_types.of_all()

    async def versions(self, image: str | None, offered: Offered) -> ImageVersions:
        """What is known of this image and of those that the types get."""
        return await self._image_versions.of([image, *(kind.image for types in offered.values() for kind in types)])

    def wanted(
        self,
        body: InstanceBody,
        organization: Organization | None,
        model: Meant,
        contents: Reply,
        offered: Offered,
        *,
        versions: ImageVersions,
        avoid: tuple[FailedPlace, ...] = (),
    ) -> Wanted:
        provider = provider_of(body.provider, offered)
        wish = wish_of(body, model.model, model.task, provider, organization.id if organization else None)
        weights, types = _weights(model, contents, wish.revision), offered.get(wish.provider, ())
        least, downloads = fit.least_gb(weights, body.vllm_args), fit.download_bytes(weights, body.vllm_args)
        found = Findings(
            gated=model.gated,
            gpu_memory_gb=least,
            weights_bytes=downloads,
            trust_remote_code=model.trust_remote_code,
            avoid=avoid,
        )
        judgement = judged(contents, wish, found, types, versions)
        found = judgement.found
        warnings = (
            *self._rights.warnings(wish, gated=model.gated),
            *vllm_images.warnings(wish, found, types, versions),
            *fit.warnings(wish, found, weights, types, versions),
            *fit.disk_warnings(wish, found, weights, types),
            *judgement.warnings,
        )
        found = found.model_copy(update={"warnings": warnings})
        errors = (*vllm_images.refused_options(wish, found, types, versions), *judgement.errors)
        return Wanted(wish, found, model, weights, offered, versions, errors)

    async def check_rights(self, wanted: Wanted, owner: ApiKey) -> None:
        """Check that this key may launch it. Raises Refused."""
        await self._rights.check(owner, wanted.wish, wanted.model)

    async def catalogue(self, wanted: Wanted, owner: ApiKey) -> None:
        """Add the model of an admitted launch, so that requests may name it."""
        if self._rights.may_add(owner, wanted.model):
            await self._cataloguing.add(wanted.model)

    async def _why(self, provider: str) -> str:
        status = await self._statuses.of(provider)
        return status.reason if status and status.reason else "the provisioner tells it when it starts"

    async def check_offer(self, wanted: Wanted) -> None:
        """Check that the provider offers such servers in these zones, and that the model fits. Raises Refused."""
        await self.check_types(wanted.wish, wanted.findings, wanted.offered)
        if wanted.errors:
            raise _unservable(wanted.errors)

    async def check_types(self, wish: Wish, found: Findings, every: Offered) -> None:
        """Check that the provider offers such servers in these zones, with memory for the weights. Raises Refused."""
        offered = every.get(wish.provider)
        if offered is None and every:
            detail = f"{wish.provider} is not known; known are {', '.join(every)}."
            raise self._simulated.by_cloud(invalid(FieldError(pointer="/provider", detail=detail)))
        if offered is None:
            detail = f"What {wish.provider} offers is not known yet: {await self._why(wish.provider)}."
            raise InstanceTypesUnknown(detail)
        errors = [*_unknown_types(wish, offered), *_unknown_zones(wish, offered)]
        errors = errors or _unusable_types(wish, offered)
        if not errors and not candidates(wish, Findings(), offered):
            errors = [FieldError(pointer="/zones", detail=_nothing_there(wish, offered))]
        errors = errors or list(fit.misfits(wish, found, offered))
        if errors:
            raise self._simulated.by_cloud(invalid(*errors))


def provider_of(named: str | None, offered: Offered) -> str:
    """The only one there is, unless another is named."""
    return named or (next(iter(offered)) if len(offered) == 1 else DEFAULT_PROVIDER)


def requested(instance_id: UUID, wish: Wish, found: Findings) -> InstanceRequested:
    return InstanceRequested(instance_id=instance_id, occurred_at=CLOCK.now(), specification=wish, findings=found)


def _unservable(errors: Sequence[FieldError]) -> Refused:
    refusal = invalid(*errors)
    if all(error.pointer != "/model" for error in errors):
        return refusal
    return ModelNotServable(" ".join(error.detail for error in errors), errors=refusal.errors)


def _weights(model: Meant, contents: Reply, revision: str | None) -> fit.Weights:
    """As the repository has them; else as they were when the model entered the catalogue, for its main branch."""
    if isinstance(contents, Contents) and (weights := weights_of(contents)).weights_bytes is not None:
        return weights
    return model if revision in _MAIN else StoredWeights()


def _unknown_types(wish: Wish, offered: tuple[InstanceType, ...]) -> list[FieldError]:
    known = sorted(kind.name for kind in offered)
    return [
        FieldError(pointer=f"/instance_types/{at}", detail=f"{name} is not offered; known are {', '.join(known)}.")
        for at, name in enumerate(wish.instance_types)
        if name not in known
    ]


def _unusable_types(wish: Wish, offered: tuple[InstanceType, ...]) -> list[FieldError]:
    """Named types on which vLLM cannot run, with some that would do in the same zones, the cheapest first."""
    others = types_of(candidates(wish.model_copy(update={"instance_types": ()}), Findings(), offered))
    choose = ", ".join(kind.name for kind in others[:_SUGGESTED]) or "a type in another zone"
    reasons = {kind.name: kind.why_unusable for kind in offered}
    return [
        FieldError(pointer=f"/instance_types/{at}", detail=f"{name} is unusable: {reasons[name]}. Choose {choose}.")
        for at, name in enumerate(wish.instance_types)
        if reasons[name] is not None
    ]


def _nothing_there(wish: Wish, offered: tuple[InstanceType, ...]) -> str:
    """Why these zones have nothing for this wish."""
    unusable = [kind for kind in offered if kind.why_unusable is not None and set(kind.zones) & set(wish.zones)]
    if wish.instance_types or not unusable:
        named = " or ".join(wish.instance_types) or "A type with GPUs"
        return f"{named} is offered in none of these zones. Choose another zone, or leave them out."
    reasons = "; ".join(f"{kind.name} is unusable: {kind.why_unusable}" for kind in unusable)
    return f"These zones have no GPU that vLLM can use: {reasons}. Choose another zone."


def _unknown_zones(wish: Wish, offered: tuple[InstanceType, ...]) -> list[FieldError]:
    known = sorted({zone for kind in offered for zone in kind.zones})
    return [
        FieldError(pointer=f"/zones/{at}", detail=f"{zone} is not known; known are {', '.join(known)}.")
        for at, zone in enumerate(wish.zones)
        if zone not in known
    ]
