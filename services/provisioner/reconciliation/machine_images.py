"""Machine images: which are retired, which are deleted, and which are gone. Those that nobody knows are only shown."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from services.provisioner.action_context import Overtaken
from services.provisioner.provider import MachineImage
from services.provisioner.reconciliation.context import ReconciliationContext, asked, guarded
from services.provisioner.reconciliation.image_rebuilds import place_of, rebuild
from services.provisioner.reconciliation.ownership import ELSEWHERE, UNTAGGED
from services.provisioner.reconciliation.results import (
    Ended,
    ImageStored,
    Owned,
    RuleFailed,
    RuleResult,
    RuleResults,
    of_type,
)
from services.provisioner.reconciliation.unanswered import Unanswered
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.events import MachineImageDeleted, MachineImageRetired
from shared.lifecycle.instance import Instance, StoredImage
from shared.lifecycle.status import LIVE
from shared.reconciliation import Kind, Reason, Removed, Unknown

NO_BUILD: Final = "the journal does not know its build: delete it at the provider if nobody needs it"
SUPERSEDED: Final = "superseded"
TOO_OLD: Final = "too_old"
UNANSWERED: Final = "its servers never answer SSH"
VANISHED: Final = "vanished"


def reason_to_retire(builder: Instance, builders: Iterable[Instance], at: datetime, max_age: timedelta) -> str | None:
    """Why no launch shall choose its image any more; None as long as one may. Pure.

    A newer image of the same zone, type, model, arguments and owner supersedes it, such as one with another vLLM image.
    """
    image = builder.stored_image
    if image is None or image.retired_at is not None:
        return None
    for other in builders:
        later = other.stored_image
        if later is None or later.retired_at is not None:
            continue
        if place_of(other, later) == place_of(builder, image) and later.stored_at > image.stored_at:
            return SUPERSEDED
    return TOO_OLD if at - image.stored_at > max_age else None


class _Rules(NamedTuple):
    """What one reconciliation knows: of each build the image that is on record, and what launches may boot from."""

    builders: dict[UUID, Instance]
    needed: frozenset[str]
    complete: bool
    """Every instance could be read, so nobody else needs any image."""


class StoredImages:
    """Remembers which images the last reconciliation did not find, and whose servers did not answer."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._missing_since: dict[str, float] = {}
        self._unanswered = Unanswered()

    async def __call__(self, context: ReconciliationContext, results: Sequence[RuleResult]) -> RuleResults:
        """`results` are those of all instances, which were read before. Its results raise JournalUnavailable."""
        self._unanswered.note(each.instance for each in of_type(Ended, results))
        self._unanswered.note(each.instance for each in of_type(Owned, results))
        if not context.provider.capabilities.machine_images:
            return
        listed = await asked("list of machine images", context.provider.machine_images)
        if isinstance(listed, RuleFailed):
            yield listed
        if listed is None or isinstance(listed, RuleFailed):
            return
        rules = _known(results)
        for image in listed:
            async for result in guarded(f"machine image {image.id}", self._of_image(context, rules, image)):
                yield result
        present = {image.id for image in listed}
        for builder in rules.builders.values():
            async for result in guarded(f"image of {builder.id}", self._of_builder(context, rules, builder, present)):
                yield result

    async def _of_image(self, context: ReconciliationContext, rules: _Rules, image: MachineImage) -> RuleResults:
        """One that no build has on record is deleted once its build is over; it may be stored until then."""
        if image.builder_id is None:
            yield _unknown(image, UNTAGGED)
            return
        try:
            builder = await context.journal.load(image.builder_id, from_leader=True)
        except InstanceUnknown:
            yield _unknown(image, NO_BUILD)
            return
        if builder.specification.provider != context.provider.name:
            yield _unknown(image, ELSEWHERE)
            return
        stored = builder.stored_image
        if stored is not None and stored.id == image.id and stored.deleted_at is None:
            return
        settled_before = context.clock() - timedelta(seconds=context.settings.settle_seconds)
        over = builder.status not in LIVE and builder.ended_at is not None and builder.ended_at < settled_before
        if not over or not rules.complete or image.id in rules.needed:
            return
        if await context.provider.delete_machine_image(image.zone, image.id):
            reason = Reason.ENDED if stored is None else Reason.DUPLICATE
            yield _removed(image.zone, image.id, builder.id, reason)

    async def _of_builder(
        self, context: ReconciliationContext, rules: _Rules, builder: Instance, present: set[str]
    ) -> RuleResults:
        image = builder.stored_image
        if image is None:
            return
        if image.id not in present and self._vanished(context, image):
            await self._note_deleted(context, builder, image, VANISHED)
            return
        if image.id in present:
            self._missing_since.pop(image.id, None)
        max_age = timedelta(days=context.settings.machine_images_max_age_days)
        reason = reason_to_retire(builder, rules.builders.values(), context.clock(), max_age)
        if reason is None and image.retired_at is None and image.id in self._unanswered:
            reason = UNANSWERED
        if reason is not None:
            await context.journal.record(
                MachineImageRetired(
                    instance_id=builder.id, occurred_at=context.clock(), image_id=image.id, reason=reason
                )
            )
        elif image.retired_at is not None and self._may_go(context, rules, image):
            if (await context.journal.load(builder.id, from_leader=True)).stored_image != image:
                raise Overtaken
            if await context.provider.delete_machine_image(image.zone, image.id):
                await self._note_deleted(context, builder, image, image.reason or "")
                yield _removed(image.zone, image.id, builder.id, Reason.RETIRED)
        else:
            await rebuild(context, builder, rules.builders.values())

    def _may_go(self, context: ReconciliationContext, rules: _Rules, image: StoredImage) -> bool:
        """Whether no launch boots from it, nor has chosen it: all instances were read long after it was retired."""
        settled_before = context.clock() - timedelta(seconds=context.settings.settle_seconds)
        retired = image.retired_at is not None and image.retired_at < settled_before
        return retired and rules.complete and image.id not in rules.needed

    def _vanished(self, context: ReconciliationContext, image: StoredImage) -> bool:
        """A new image, and one that a list has left out once, may be there."""
        if image.stored_at > context.clock() - timedelta(seconds=context.settings.settle_seconds):
            return False
        now = self._monotonic()
        return now - self._missing_since.setdefault(image.id, now) >= context.settings.lost_after_seconds

    async def _note_deleted(
        self, context: ReconciliationContext, builder: Instance, image: StoredImage, reason: str
    ) -> None:
        self._missing_since.pop(image.id, None)
        await context.journal.record(
            MachineImageDeleted(instance_id=builder.id, occurred_at=context.clock(), image_id=image.id, reason=reason)
        )


def _known(results: Sequence[RuleResult]) -> _Rules:
    builders = {each.builder.id: each.builder for each in of_type(ImageStored, results)}
    needed = frozenset[str]().union(*(owned.instance.needed_images for owned in of_type(Owned, results)))
    return _Rules(builders, needed, complete=not of_type(RuleFailed, results))


def _unknown(image: MachineImage, hint: str) -> Unknown:
    return Unknown(kind=Kind.MACHINE_IMAGE, id=image.id, zone=image.zone, instance_id=image.builder_id, hint=hint)


def _removed(zone: str, image_id: str, builder_id: UUID, reason: Reason) -> Removed:
    return Removed(kind=Kind.MACHINE_IMAGE, id=image_id, zone=zone, instance_id=builder_id, reason=reason)
