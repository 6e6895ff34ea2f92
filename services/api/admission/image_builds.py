"""Begins builds of machine images, and retires the images. A build is an instance that is stored instead of started."""

from contextlib import AsyncExitStack
from math import ceil
from typing import Annotated, Final
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field

from services.api.access.api_keys import ModelName
from services.api.access.caller import Caller
from services.api.admission.intake import Intake, provider_of, requested
from services.api.admission.launch_body import Choice, Image, InstanceBody, Revision, VllmArgs
from services.api.admission.launches import Launches
from services.api.admission.read_your_writes import ReadYourWrites
from services.api.admission.spending import Offered
from services.api.admission.stores import Stores
from services.api.refusals import FieldError, Refused, invalid
from services.api.tenancy.organizations import Organization, Slug
from shared.clock import CLOCK
from shared.journal.journal import Journal
from shared.lifecycle.events import MachineImageRetired
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Findings, Wish

REQUESTED: Final = "requested"
_SYSTEM_GB: Final = 60
"""The system and vLLM's image, unpacked, with room to pull it."""
_NO_MODEL: Final = {
    "vllm_args": "Only a model is compiled. Name the model, or leave the options of vLLM out.",
    "revision": "It is one of a model's repository. Name the model, or leave this out.",
}
_POINTERS: Final = {
    "/instance_types/0": "/instance_type",
    "/instance_types": "/instance_type",
    "/zones/0": "/zone",
    "/zones": "/zone",
}
"""What a launch's body has lists of."""
_ROOM: Final = 1.2
_GB: Final = 10**9


class MachineImageBody(BaseModel):
    """What is to be on a machine image. It is for launches of this type in this zone that run this vLLM image.

    With a model, its weights are on it, and what vLLM compiles for launches with the same `vllm_args`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance_type: Choice
    zone: Annotated[Choice | None, Field(description="Default: where the provider has one.")] = None
    provider: Choice | None = None
    image: Image | None = None
    model: Annotated[ModelName | None, Field(description="Its weights are on the image, too.")] = None
    revision: Revision | None = None
    vllm_args: VllmArgs = []
    organization: Annotated[
        Slug | None, Field(description="The only one whose launches boot from it, if a model is on it.")
    ] = None


class ImageBuilds:
    def __init__(
        self, journal: Journal, read_your_writes: ReadYourWrites, intake: Intake, launches: Launches, stores: Stores
    ) -> None:
        self._journal = journal
        self._read_your_writes = read_your_writes
        self._intake = intake
        self._launches = launches
        self._stores = stores

    async def begin(self, body: MachineImageBody, organization: Organization | None, caller: Caller) -> Instance:
        """The instance of which the image is made. Raises Refused, JournalUnavailable."""
        try:
            return await self._begin(body, organization, caller)
        except Refused as refused:
            raise refused.renaming(_POINTERS) from None

    async def _begin(self, body: MachineImageBody, organization: Organization | None, caller: Caller) -> Instance:
        wish, found, offered = await self._asked(body, organization)
        async with AsyncExitStack() as turn:
            self._stores.check_space()
            await self._intake.check_types(wish, found, offered)
            if organization is not None:
                limited = await turn.enter_async_context(self._launches.turn(organization.id))
                found = await self._launches.admit(limited, wish, found, offered)
            async with self._stores.patiently():
                asked = requested(uuid4(), wish, found)
                instance, _ = await self._journal.request(
                    asked,
                    intent_id=uuid4(),
                    requested_by=caller.actor,
                    traceparent=caller.traceparent,
                    unknown=True,
                )
            self._launches.accepted(instance)
            return await self._shown(instance)

    async def retire(self, build: UUID, image_id: str, caller: Caller) -> Instance:
        """No launch chooses the image from now on; does nothing if so before. Raises JournalUnavailable."""
        at, by = CLOCK.now(), caller.actor
        retired = MachineImageRetired(
            instance_id=build, occurred_at=at, image_id=image_id, reason=REQUESTED, requested_by=by
        )
        async with self._stores.patiently():
            instance = await self._journal.record(retired)
        return await self._shown(instance)

    async def _shown(self, instance: Instance) -> Instance:
        await self._read_your_writes.shows(instance.id, instance.version)
        return instance

    async def _asked(self, body: MachineImageBody, organization: Organization | None) -> tuple[Wish, Findings, Offered]:
        """Raises Refused."""
        zones = [] if body.zone is None else [body.zone]
        if body.model is not None:
            launch = InstanceBody(
                model=body.model,
                provider=body.provider,
                zones=zones,
                instance_types=[body.instance_type],
                image=body.image,
                revision=body.revision,
                vllm_args=body.vllm_args,
            )
            wanted = await self._intake.judged(launch, organization)
            await self._intake.check_offer(wanted)
            weights_gb = (wanted.findings.weights_bytes or 0) / _GB
            return _for_an_image(wanted.wish, _SYSTEM_GB + ceil(weights_gb * _ROOM)), wanted.findings, wanted.offered
        alone = [FieldError(pointer=f"/{name}", detail=why) for name, why in _NO_MODEL.items() if getattr(body, name)]
        if alone:
            raise invalid(*alone)
        async with self._stores.patiently():
            offered = await self._intake.offered()
        wish = Wish(
            name="",
            model="",
            organization_id=None if organization is None else organization.id,
            provider=provider_of(body.provider, offered),
            zones=tuple(zones),
            instance_types=(body.instance_type,),
            image=body.image,
        )
        return _for_an_image(wish, _SYSTEM_GB), Findings(), offered


def _for_an_image(wish: Wish, volume_gb: int) -> Wish:
    """Its disk is no larger than it must be: a launch's is at least as large as the image."""
    [instance_type] = wish.instance_types
    name = f"machine image of {instance_type}"
    return wish.model_copy(update={"purpose": "machine_image", "name": name, "volume_gb": volume_gb})
