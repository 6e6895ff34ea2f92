"""Ends that owners set in advance: an instance that reaches its `max_lifetime` is drained or terminated."""

from datetime import datetime, timedelta

from services.provisioner.reconciliation.context import ReconciliationContext
from shared.lifecycle.events import LifetimeLimitReached
from shared.lifecycle.instance import Instance
from shared.lifecycle.news import is_news


def due(instance: Instance, at: datetime) -> LifetimeLimitReached | None:
    """Pure. None while it may live on, and if the limit was already recorded."""
    limit = instance.specification.max_lifetime
    if limit is None or at < instance.created_at + timedelta(seconds=limit):
        return None
    reached = LifetimeLimitReached(instance_id=instance.id, occurred_at=at, limit_seconds=limit)
    return reached if is_news(instance, reached) else None


async def end_when_due(
    context: ReconciliationContext, instance: Instance
) -> tuple[Instance, LifetimeLimitReached | None]:
    """The instance afterwards, and the recorded fact. Raises JournalUnavailable."""
    reached = due(instance, context.clock())
    return (instance, None) if reached is None else (await context.journal.record(reached), reached)
