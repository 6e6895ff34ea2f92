"""Which machine image a server is ordered with: no retired one, and none with the model of another organisation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog

from services.provisioner.action_context import ActionContext, now
from services.provisioner.actions.store_image import ARGUMENTS, COMMIT, MODEL, TYPE, VLLM, arguments_label
from services.provisioner.provider import MachineImage, MachineImageGone, Order, ProviderError, TryAgain
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.events import MachineImageChosen, MachineImageUnusable
from shared.lifecycle.instance import Instance

MAIN: Final = "main"
NOT_LISTED: Final = "machine_images_not_listed"
LOOKS: Final = 4
"""How often one holder asks for the list of images before it goes on without: an image saves minutes."""

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

    Of those with the weights, one comes first whose vLLM ran with the same arguments: it has what is compiled for them.
    Where the model on an image is not the instance's, or of another commit, it would only fill the disk. `commit`: the
    instance's by the hub, if its admission could not find out.
    """
    wish, commit = instance.specification, instance.findings.commit or commit

    def fits(image: MachineImage) -> bool:
        of_its_model = (image.labels.get(MODEL), image.labels.get(COMMIT)) in {(None, None), (wish.model, commit)}
        as_wished = (image.labels.get(TYPE), image.labels.get(VLLM)) == (instance_type, vllm_image)
        usable = image.available and image.zone == zone and image.id not in instance.unusable_images
        return usable and as_wished and of_its_model and image.size_gb <= wish.volume_gb

    def worth(image: MachineImage) -> tuple[bool, bool, datetime]:
        compiled = image.labels.get(ARGUMENTS) == arguments_label(wish.vllm_args)
        return MODEL in image.labels, compiled, image.created_at

    return sorted(filter(fits, images), key=worth, reverse=True)


class MachineImages:
    """The machine images for one launch. `look` comes before the order, so that little time passes in between."""

    def __init__(self, context: ActionContext) -> None:
        self._context = context
        self._listed: Sequence[MachineImage] = ()
        self._failed_looks = 0
        self._unlisted: ProviderError | None = None

    async def look(self) -> None:
        """Without an answer, `choose` decides what becomes of it: a server that is there already needs none."""
        context = self._context
        self._listed, self._unlisted = (), None
        if not (context.settings.machine_images and context.provider.capabilities.machine_images):
            return
        try:
            self._listed = await context.provider.machine_images()
        except ProviderError as error:
            self._unlisted = error
            self._failed_looks += 1

    async def choose(self, zone: str, instance_type: str) -> str | None:
        """The id of one; None for the provider's plain image. Raises TryAgain while the list is worth another try.

        The choice is recorded, and only then it is made sure that nobody has retired the image: whoever retires it
        afterwards finds the choice.
        """
        context = self._context
        instance = await context.guard()
        if instance.specification.builds_image:
            return None
        if self._unlisted is not None:
            await self._go_on_without(instance, self._unlisted)
        vllm_image = instance.specification.image or context.settings.image_for(instance_type)
        commit = await self._commit(instance)
        if commit is None:
            await self._tell_of_unknown_commit(instance, zone, instance_type, vllm_image)
        for image in fitting(self._listed, instance, zone, instance_type, vllm_image, commit=commit):
            if not await self._is_in_use(image, instance):
                continue
            await context.record(
                MachineImageChosen(instance_id=instance.id, occurred_at=now(), image_id=image.id, zone=zone)
            )
            if await self._is_in_use(image, instance):
                return image.id
        return None

    async def _go_on_without(self, instance: Instance, error: ProviderError) -> None:
        """Raises TryAgain first, as long as the launch has tries and time enough left for its order."""
        context = self._context
        reason = context.printable(f"The provider did not list the machine images: {error.message}")
        tried = instance.failed_tries.get(context.action, 0)
        in_time = context.age_s() < context.settings.launch_deadline_seconds / 2
        may_try = self._failed_looks < LOOKS and tried + 1 < context.settings.launch_tries and in_time
        if isinstance(error, TryAgain) and may_try and not instance.no_image_list:
            raise TryAgain(NOT_LISTED, reason, error.retry_after, had_no_effect=True) from error
        log.warning("machine images not known", instance_id=str(context.instance_id), reason=str(error))
        await self._note(None, reason)

    async def _commit(self, instance: Instance) -> str | None:
        """As its install would find it; asked for only where an image has its model."""
        wish, found = instance.specification, instance.findings.commit
        if found is not None or all(image.labels.get(MODEL) != wish.model for image in self._listed):
            return found
        return await self._context.dependencies.weights.commit(wish.model, wish.revision or MAIN)

    async def _tell_of_unknown_commit(self, instance: Instance, zone: str, instance_type: str, vllm_image: str) -> None:
        """Of the images with its model that would have fitted."""
        for image in self._listed:
            commit = image.labels.get(COMMIT)
            of_its_model = commit is not None and image.labels.get(MODEL) == instance.specification.model
            fits = of_its_model and fitting([image], instance, zone, instance_type, vllm_image, commit=commit)
            if fits and await self._is_in_use(image, instance):
                reason = f"The hub did not say which commit of {instance.specification.model} this launch loads."
                await self._note(image.id, reason)

    async def note_unusable(self, gone: MachineImageGone) -> None:
        reason = f"The provider made no server from it in {gone.zone}: it is gone, or does not boot this type."
        await self._note(gone.image_id, reason)

    async def _note(self, image_id: str | None, reason: str) -> None:
        """`image_id`: None for all of them."""
        context = self._context
        await context.record(
            MachineImageUnusable(instance_id=context.instance_id, occurred_at=now(), image_id=image_id, reason=reason)
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
