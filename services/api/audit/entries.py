"""The audit log: who asked for what. What is an event comes from the progress service, everything else from here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Self
from uuid import UUID, uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.actor import Actor
from shared.plain_text import PlainText
from shared.postgres.connection import AnyConnection
from shared.postgres.statements import statement


class EntryType(StrEnum):
    """What there are entries of. The first are events that somebody asks for; the others are named as events are."""

    INSTANCE_REQUESTED = "InstanceRequested"
    REINSTALL_REQUESTED = "ReinstallRequested"
    DRAIN_REQUESTED = "DrainRequested"
    TERMINATION_REQUESTED = "TerminationRequested"
    INSTANCE_ARCHIVED = "InstanceArchived"
    MACHINE_IMAGE_RETIRED = "MachineImageRetired"
    DEPLOYMENT_CREATED = "DeploymentCreated"
    DEPLOYMENT_CHANGED = "DeploymentChanged"
    DEPLOYMENT_PAUSED = "DeploymentPaused"
    DEPLOYMENT_RESUMED = "DeploymentResumed"
    DEPLOYMENT_DELETED = "DeploymentDeleted"

    API_KEY_CREATED = "ApiKeyCreated"
    API_KEY_CHANGED = "ApiKeyChanged"
    API_KEY_REVOKED = "ApiKeyRevoked"
    ORGANIZATION_CREATED = "OrganizationCreated"
    ORGANIZATION_CHANGED = "OrganizationChanged"
    ORGANIZATION_DELETED = "OrganizationDeleted"
    OFFERING_CREATED = "OfferingCreated"
    OFFERING_CHANGED = "OfferingChanged"
    OFFERING_DELETED = "OfferingDeleted"
    MODEL_ADDED = "ModelAdded"
    MODEL_REMOVED = "ModelRemoved"
    WEBHOOK_CREATED = "WebhookCreated"
    WEBHOOK_CHANGED = "WebhookChanged"
    WEBHOOK_DELETED = "WebhookDeleted"
    WEBHOOK_SECRET_ROTATED = "WebhookSecretRotated"  # noqa: S105 - a name
    WEBHOOK_TESTED = "WebhookTested"
    WEBHOOK_REPLAYED = "WebhookReplayed"
    RECONCILIATION_REQUESTED = "ReconciliationRequested"
    SIGN_IN_LINK_CREATED = "SignInLinkCreated"
    SIGNED_IN = "SignedIn"
    SIGN_IN_REFUSED = "SignInRefused"
    SIGN_INS_LIMITED = "SignInsLimited"


class AuditActor(BaseModel):
    """Who did it. `id` is the API key's, also of a session of the console. `name` is as it was then.

    A `stranger` is somebody whose key or link was refused; its name is the network address.
    """

    model_config = ConfigDict(frozen=True)
    kind: Literal["key", "session", "service", "stranger"]
    id: UUID | None = None
    name: PlainText


class Subject(BaseModel):
    """What it was done to. `name` is as it was then."""

    model_config = ConfigDict(frozen=True)
    kind: str
    id: str
    name: PlainText

    @classmethod
    def of(cls, kind: str, its_id: UUID, name: str) -> Self:
        return cls(kind=kind, id=str(its_id), name=name)


class AuditEntry(BaseModel):
    """`type`: the event, or what else was done. `organization_id` is the subject's. `details` are of that type."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    at: AwareDatetime
    type: EntryType
    actor: AuditActor
    organization_id: UUID | None
    subject: Subject
    details: dict[str, Any]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        actor = AuditActor(kind=row["actor_kind"], id=row["actor_id"], name=row["actor_name"])
        subject = Subject(kind=row["subject_kind"], id=row["subject_id"], name=row["subject_name"])
        same = {name: row[name] for name in ("id", "at", "type", "organization_id", "details")}
        return cls(actor=actor, subject=subject, **same)


@dataclass(frozen=True)
class NewEntry:
    """`details` hold no secret, and nothing from which one could be guessed."""

    type: EntryType
    actor: Actor | AuditActor
    subject: Subject
    organization_id: UUID | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


async def note(connection: AnyConnection, entry: NewEntry) -> None:
    """Add it, in the transaction that does what it tells."""
    actor, subject = entry.actor, entry.subject
    await connection.execute(
        statement("services.api.audit", "add_entry"),
        uuid4(),
        entry.type,
        *(actor.kind, actor.id, actor.name),
        entry.organization_id,
        *(subject.kind, subject.id, subject.name),
        dict(entry.details),
    )
