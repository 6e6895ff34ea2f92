"""Which machine image a server is ordered with: no retired one, and none with the model of another organisation."""

from collections.abc import Sequence
from typing import Final

import structlog

from services.provisioner.action_context import ActionContext, now
from services.provisioner.actions.store_image import COMMIT, MODEL, TYPE, VLLM
from services.provisioner.provider import MachineImage, MachineImageGone, Order, ProviderError
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.events import MachineImageChosen, MachineImageUnusable
from shared.lifecycle.instance import Instance

MAIN: Final = "main"

log = structlog.get_logger()


def fitting(
    images: Sequence[MachineImage],
    instance: Instance,
    zone: str,
    instance_type: str,
    vllm_image: str,
    *,
    commit: str | None = None,
) -> list[MachineImage]:
    """Those that this server could boot from, the best first: with the model's weights, then the newest. Pure.

    Where the model on an image is not the instance's, or of another commit, it would only fill the disk. `commit`: the
    instance's by the hub, if its admission could not find out.
    """
    wish, commit = instance.specification, instance.findings.commit or commit

    def fits(image: MachineImage) -> bool:
        of_its_model = (image.labels.get(MODEL), image.labels.get(COMMIT)) in {(None, None), (wish.model, commit)}
        as_wished = (image.labels.get(TYPE), image.labels.get(VLLM)) == (instance_type, vllm_image)
        usable = image.available and image.zone == zone and image.id not in instance.unusable_images
        return usable and as_wished and of_its_model and image.size_gb <= wish.volume_gb

    return sorted(filter(fits, images), key=lambda image: (MODEL in image.labels, image.created_at), reverse=True)


class MachineImages:
    """The machine images for one launch. `look` comes before the order, so that little time passes in between."""

    def __init__(self, context: ActionContext) -> None:
        self._context = context
        self._listed: Sequence[MachineImage] = ()

    async def look(self) -> None:
        """No launch fails or waits for them: without an answer it boots from the plain image."""
        context = self._context
        self._listed = ()
        if not (context.settings.machine_images and context.provider.capabilities.machine_images):
            return
        try:
            self._listed = await context.provider.machine_images()
        except ProviderError as error:
            log.warning("machine images not known", instance_id=str(context.instance_id), reason=str(error))

    async def choose(self, zone: str, instance_type: str) -> str | None:
        """The id of one; None for the provider's plain image.

        The choice is recorded, and only then it is made sure that nobody has retired the image: whoever retires it
        afterwards finds the choice.
        """
        context = self._context
        instance = await context.guard()
        if instance.specification.builds_image:
            return None
        vllm_image = instance.specification.image or context.settings.image_for(instance_type)
        commit = await self._commit(instance)
        for image in fitting(self._listed, instance, zone, instance_type, vllm_image, commit=commit):
            if not await self._is_in_use(image, instance):
                continue
            await context.record(
                MachineImageChosen(instance_id=instance.id, occurred_at=now(), image_id=image.id, zone=zone)
            )
            if await self._is_in_use(image, instance):
                return image.id
        return None

    async def _commit(self, instance: Instance) -> str | None:
        """As its install would find it; asked for only where an image has its model."""
        wish, found = instance.specification, instance.findings.commit
        if found is not None or all(image.labels.get(MODEL) != wish.model for image in self._listed):
            return found
        return await self._context.dependencies.weights.commit(wish.model, wish.revision or MAIN)

    async def note_unusable(self, gone: MachineImageGone) -> None:
        reason = f"The provider made no server from it in {gone.zone}: it is gone, or does not boot this type."
        await self._context.record(
            MachineImageUnusable(
                instance_id=self._context.instance_id, occurred_at=now(), image_id=gone.image_id, reason=reason
            )
        )

    async def _is_in_use(self, image: MachineImage, instance: Instance) -> bool:
        """By the journal, read anew: it is nobody's but ours, and not retired."""
        if image.builder_id is None:
            return False
        try:
            builder = await self._context.dependencies.journal.load(image.builder_id, from_leader=True)
        except InstanceUnknown:
            return False
        stored = builder.stored_image
        if stored is None or stored.id != image.id or stored.retired_at or stored.deleted_at:
            return False
        same_owner = builder.specification.organization_id == instance.specification.organization_id
        return stored.model is None or same_owner


def booted_from(instance: Instance, order: Order | None, zone: str) -> str | None:
    """The machine image of a server in this zone: that of its order, or as an earlier holder of it has recorded."""
    if order is not None:
        return order.machine_image
    usable = [image.id for image in instance.chosen_images if image.zone == zone]
    return next((each for each in reversed(usable) if each not in instance.unusable_images), None)
