"""Builds a machine image anew when the vLLM image of its type has changed. The newer one supersedes it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4, uuid5

import structlog

from services.provisioner.reconciliation.context import ReconciliationContext
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.instance import Instance, StoredImage

SETTLED: Final = timedelta(hours=1)
"""Provisioners of two versions may run side by side for a while, and want different images."""

log = structlog.get_logger()


def rebuild_of(builder: Instance, builders: Iterable[Instance], vllm_image: str, at: datetime) -> UUID | None:
    """The id of the build that has to follow this one; None if none has to. Pure.

    Only of images that everybody shares, and whose builder left the vLLM image open.
    """
    image, wish = builder.stored_image, builder.specification
    if image is None or image.retired_at is not None or wish.image is not None or wish.organization_id is not None:
        return None
    if image.vllm_image == vllm_image or at - image.stored_at < SETTLED:
        return None
    if any(_is_instead_of(builder, other, vllm_image) for other in builders):
        return None
    return uuid5(builder.id, vllm_image)


def place_of(builder: Instance, image: StoredImage) -> tuple[object, ...]:
    """What of two images launches would use alike, whichever is newer."""
    owner = builder.specification.organization_id if image.model else None
    return image.zone, image.instance_type, image.model, builder.specification.vllm_args, owner


def _is_instead_of(builder: Instance, other: Instance, vllm_image: str) -> bool:
    image, later = builder.stored_image, other.stored_image
    if image is None or later is None:
        return False
    return place_of(other, later) == place_of(builder, image) and later.vllm_image == vllm_image


async def rebuild(context: ReconciliationContext, builder: Instance, builders: Iterable[Instance]) -> None:
    """Requested once, whoever asks and however often. Raises JournalUnavailable."""
    image, at = builder.stored_image, context.clock()
    if image is None or not context.settings.machine_images:
        return
    vllm_image = context.settings.image_for(image.instance_type)
    build = rebuild_of(builder, builders, vllm_image, at)
    if build is None:
        return
    wish = builder.specification.model_copy(update={"zones": (image.zone,)})
    asked = InstanceRequested(instance_id=build, occurred_at=at, specification=wish, findings=builder.findings)
    _, began = await context.journal.request(asked, intent_id=uuid4())
    if began:
        log.info("machine image is built anew", build=str(build), former=image.id, vllm_image=vllm_image)
