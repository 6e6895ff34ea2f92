"""Entries of the audit log: the events that somebody asked for."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from shared.actor import RequestedBy
from shared.deployments.events import DeploymentChanged
from shared.journal.recorded import AnyRecorded, Recorded, RecordedDeployment
from shared.lifecycle.events import InstanceRequested, MachineImageRetired, ReinstallRequested

INSTANCE: Final = "instance"
MACHINE_IMAGE: Final = "machine_image"
DEPLOYMENT: Final = "deployment"
_TOLD: Final[Mapping[type[RequestedBy], set[str]]] = {
    ReinstallRequested: {"attempt"},
    MachineImageRetired: {"image_id", "reason"},
    DeploymentChanged: {"why", "revision"},
}
"""What tells one such event from another; the timeline has all of it."""


class AuditRow(NamedTuple):
    """The parameters of insert_audit_log.sql, in order; `details` as JSON."""

    id: UUID
    at: datetime
    type: str
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    organization_id: UUID | None
    subject_kind: str
    subject_id: str
    subject_name: str
    details: str


def audit_row(recorded: AnyRecorded) -> AuditRow | None:
    """None of an event that nobody asked for, or of which former versions did not record who did."""
    if not isinstance(recorded, Recorded | RecordedDeployment):
        return None
    event, after = recorded.event, recorded.after
    if not isinstance(event, RequestedBy) or event.requested_by is None:
        return None
    if isinstance(recorded, Recorded):
        wish = recorded.instance.specification
        kind, name, organization_id = MACHINE_IMAGE if wish.builds_image else INSTANCE, wish.name, wish.organization_id
    else:
        kind, name = DEPLOYMENT, recorded.deployment.name
        organization_id = recorded.deployment.organization_id
    return AuditRow(
        id=recorded.id,
        at=recorded.recorded_at,
        type=recorded.type,
        actor_kind=event.requested_by.kind,
        actor_id=event.requested_by.id,
        actor_name=event.requested_by.name,
        organization_id=organization_id,
        subject_kind=kind,
        subject_id=str(after.id),
        subject_name=name,
        details=json.dumps(_details(event)),
    )


def _details(event: RequestedBy) -> dict[str, Any]:
    if isinstance(event, InstanceRequested):
        return {"model": event.specification.model, "instance_types": [*event.specification.instance_types]}
    return event.model_dump(mode="json", include=_TOLD.get(type(event), set()))
