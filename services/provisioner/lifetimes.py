"""The ends that owners set in advance: who has lived for its `max_lifetime` is drained, or terminated."""

from datetime import timedelta

from services.provisioner.round import Round
from shared.lifecycle.events import LifetimeLimitReached
from shared.lifecycle.instance import Instance
from shared.lifecycle.news import is_news


async def end_when_due(this: Round, instance: Instance) -> Instance:
    """The instance after it. Raises JournalUnavailable."""
    limit = instance.specification.max_lifetime
    if limit is None or this.clock() < instance.created_at + timedelta(seconds=limit):
        return instance
    reached = LifetimeLimitReached(instance_id=instance.id, occurred_at=this.clock(), limit_seconds=limit)
    if not is_news(instance, reached):
        return instance
    after = await this.journal.record(reached)
    this.expired.append(instance.id)
    return after
