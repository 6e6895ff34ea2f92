"""Turns events into rows. Each row follows from one event alone, so order and repetition do not matter."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from shared.journal.envelope import Recorded


class InstanceRow(NamedTuple):
    """The parameters of upsert_instances.sql, in order."""

    id: UUID
    version: int
    sequence: int
    organization_id: UUID | None
    name: str
    model: str
    provider: str
    zone: str | None
    instance_type: str | None
    status: str
    progress_percent: int
    step: str
    attempt: int
    created_at: datetime
    updated_at: datetime
    ready_at: datetime | None
    ended_at: datetime | None
    snapshot: dict[str, Any]


class TimelineRow(NamedTuple):
    """The parameters of insert_timeline.sql, in order."""

    instance_id: UUID
    version: int
    sequence: int
    type: str
    status: str
    progress_percent: int
    step: str
    attempt: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    data: dict[str, Any]


def latest_instances(events: Iterable[Recorded]) -> list[InstanceRow]:
    """One row per instance, from its highest version among these."""
    latest: dict[UUID, Recorded] = {}
    for recorded in events:
        known = latest.get(recorded.instance.id)
        if known is None or known.instance.version < recorded.instance.version:
            latest[recorded.instance.id] = recorded
    return [_instance_row(recorded) for recorded in latest.values()]


def _instance_row(recorded: Recorded) -> InstanceRow:
    instance = recorded.instance
    return InstanceRow(
        id=instance.id,
        version=instance.version,
        sequence=recorded.sequence,
        organization_id=instance.specification.organization_id,
        name=instance.specification.name,
        model=instance.specification.model,
        provider=instance.specification.provider,
        zone=instance.zone,
        instance_type=instance.instance_type,
        status=instance.status,
        progress_percent=instance.progress_percent,
        step=instance.step,
        attempt=instance.attempt,
        created_at=instance.created_at,
        updated_at=instance.updated_at,
        ready_at=instance.ready_at,
        ended_at=instance.ended_at,
        snapshot=_storable(instance.model_dump(mode="json")),
    )


def timeline_row(recorded: Recorded) -> TimelineRow:
    instance, event = recorded.instance, recorded.event
    return TimelineRow(
        instance_id=instance.id,
        version=instance.version,
        sequence=recorded.sequence,
        type=event.type(),
        status=instance.status,
        progress_percent=instance.progress_percent,
        step=instance.step,
        attempt=instance.attempt,
        occurred_at=event.occurred_at,
        recorded_at=recorded.recorded_at,
        actor=recorded.origin.actor,
        data=_storable(event.model_dump(mode="json", exclude={"instance_id", "occurred_at"})),
    )


def _storable(value: Any) -> Any:
    """JSON that PostgreSQL accepts: without NUL in strings, which captured output may contain."""
    match value:
        case str():
            return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        case dict():
            return {key: _storable(item) for key, item in value.items()}
        case list():
            return [_storable(item) for item in value]
        case _:
            return value
