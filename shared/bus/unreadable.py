"""Fails and releases an instance whose trigger cannot be read, so that it does not wait for ever."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from shared.clock import CLOCK
from shared.journal.journal import Journal
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.events import InstanceFailed

TRIGGER_NOT_UNDERSTOOD: Final = "trigger_not_understood"
_LONGEST_REASON: Final = 500

log = structlog.get_logger()


@dataclass(frozen=True)
class FailInstance:
    """A `subscriber.OnUnreadable`: recorded before the message goes to the dead letters."""

    journal: Journal

    async def __call__(self, instance_id: UUID, reason: str) -> None:
        """Raises JournalUnavailable."""
        failed = InstanceFailed(
            instance_id=instance_id,
            occurred_at=CLOCK.now(),
            code=TRIGGER_NOT_UNDERSTOOD,
            message=f"An event that asks for something to be done cannot be read: {reason[:_LONGEST_REASON]}",
        )
        try:
            await self.journal.record(failed)
        except InstanceUnknown:
            log.warning("unreadable trigger of an unknown instance", instance_id=str(instance_id), reason=reason)
