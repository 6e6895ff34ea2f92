"""Turns events into rows. Each row follows from one event alone, so order and repetition do not matter."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar, assert_never
from uuid import UUID

from services.progress.audit_rows import AuditRow, audit_row
from shared.journal.recorded import (
    AnyOfDeployment,
    AnyOfInstance,
    AnyRecorded,
    Recorded,
    RecordedDeployment,
    UnknownDeploymentEvent,
    UnknownEvent,
    every_fact_s,
)

_Read = TypeVar("_Read", AnyOfInstance, AnyOfDeployment)
_ESCAPED_NUL: Final = r"\u0000"
"""It may also be the end of an escaped backslash with digits behind it."""


class InstanceRow(NamedTuple):
    """The parameters of upsert_instances.sql, in order; `snapshot` as JSON."""

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
    snapshot: str


class TimelineRow(NamedTuple):
    """The parameters of insert_timeline.sql, in order; `data` as JSON."""

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
    data: str


class DeploymentRow(NamedTuple):
    """The parameters of upsert_deployments.sql, in order; `snapshot` as JSON."""

    id: UUID
    version: int
    sequence: int
    organization_id: UUID | None
    name: str
    model: str
    status: str
    wanted: int
    revision: int
    created_at: datetime
    updated_at: datetime
    snapshot: str


class DeploymentTimelineRow(NamedTuple):
    """The parameters of insert_deployment_timeline.sql, in order; `data` as JSON."""

    deployment_id: UUID
    version: int
    sequence: int
    type: str
    status: str
    wanted: int
    revision: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    data: str


class Rows:
    """What events become in the tables. Of an instance or deployment, only the latest event is kept until asked for."""

    def __init__(self, events: Iterable[AnyRecorded] = ()) -> None:
        self.timeline: list[TimelineRow] = []
        self.deployment_timeline: list[DeploymentTimelineRow] = []
        self.audit: dict[UUID, AuditRow] = {}
        self._instances: dict[UUID, AnyOfInstance] = {}
        self._deployments: dict[UUID, AnyOfDeployment] = {}
        for recorded in events:
            self.add(recorded)

    def add(self, recorded: AnyRecorded) -> None:
        if entry := audit_row(recorded):
            self.audit[entry.id] = entry
        match recorded:
            case Recorded() | UnknownEvent():
                self.timeline.append(_timeline_row(recorded))
                _keep_latest(self._instances, recorded)
            case RecordedDeployment() | UnknownDeploymentEvent():
                self.deployment_timeline.append(_deployment_timeline_row(recorded))
                _keep_latest(self._deployments, recorded)
            case _:
                assert_never(recorded)

    def latest(self, instance_id: UUID) -> AnyOfInstance | None:
        """The instance's latest event among these."""
        return self._instances.get(instance_id)

    def instances(self) -> list[InstanceRow]:
        """One row per instance, from its highest version among these."""
        return [_instance_row(recorded) for recorded in self._instances.values()]

    def deployments(self) -> list[DeploymentRow]:
        """One row per deployment, from its highest version among these."""
        return [_deployment_row(recorded) for recorded in self._deployments.values()]


def _keep_latest(latest: dict[UUID, _Read], recorded: _Read) -> None:
    known = latest.get(recorded.after.id)
    if known is None or known.after.version < recorded.after.version:
        latest[recorded.after.id] = recorded


def _instance_row(recorded: AnyOfInstance) -> InstanceRow:
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
        snapshot=_snapshot(recorded),
    )


def _timeline_row(recorded: AnyOfInstance) -> TimelineRow:
    instance = recorded.instance
    return TimelineRow(
        instance_id=instance.id,
        version=instance.version,
        sequence=recorded.sequence,
        type=recorded.type,
        status=instance.status,
        progress_percent=instance.progress_percent,
        step=instance.step,
        attempt=instance.attempt,
        occurred_at=recorded.occurred_at,
        recorded_at=recorded.recorded_at,
        actor=recorded.origin.actor,
        data=_storable(_content(recorded)),
    )


def _deployment_row(recorded: AnyOfDeployment) -> DeploymentRow:
    deployment = recorded.deployment
    return DeploymentRow(
        id=deployment.id,
        version=deployment.version,
        sequence=recorded.sequence,
        organization_id=deployment.organization_id,
        name=deployment.name,
        model=deployment.wish.template.model,
        status=deployment.status,
        wanted=deployment.wanted,
        revision=deployment.revision,
        created_at=deployment.created_at,
        updated_at=deployment.updated_at,
        snapshot=_snapshot(recorded),
    )


def _deployment_timeline_row(recorded: AnyOfDeployment) -> DeploymentTimelineRow:
    deployment = recorded.deployment
    return DeploymentTimelineRow(
        deployment_id=deployment.id,
        version=deployment.version,
        sequence=recorded.sequence,
        type=recorded.type,
        status=deployment.status,
        wanted=deployment.wanted,
        revision=deployment.revision,
        occurred_at=recorded.occurred_at,
        recorded_at=recorded.recorded_at,
        actor=recorded.origin.actor,
        data=_storable(_content(recorded)),
    )


def _snapshot(recorded: AnyRecorded) -> str:
    return _storable(json.dumps(recorded.snapshot()) if recorded.unread else recorded.after.model_dump_json())


def _content(recorded: AnyRecorded) -> str:
    if isinstance(recorded, Recorded | RecordedDeployment) and recorded.unread is None:
        return recorded.event.model_dump_json(exclude=every_fact_s(recorded.after))  # in a third of the time
    return json.dumps(recorded.content())


def _storable(text: str) -> str:
    """JSON that PostgreSQL accepts: without NUL in strings, which captured output may contain."""
    if _ESCAPED_NUL not in text:
        return text
    return json.dumps(_without_nul(json.loads(text)))


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        case dict():
            return {key: _without_nul(item) for key, item in value.items()}
        case list():
            return [_without_nul(item) for item in value]
        case _:
            return value
