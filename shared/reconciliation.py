"""Reconciliation on demand: the request over core NATS, and the reports that come back.

ReconciliationFailed
├── NobodyAnswers   no provisioner is running
└── TimedOut        it takes longer than the caller waits; the reconciliation continues
"""

from enum import StrEnum
from typing import Final
from uuid import UUID

from nats.aio.client import Client
from nats.errors import NoRespondersError
from pydantic import AwareDatetime, BaseModel, ConfigDict

SUBJECT: Final = "requests.reconcile"
QUEUE: Final = "provisioner"
"""The queue group: one of the provisioners answers."""


class ReconciliationFailed(Exception):
    pass


class NobodyAnswers(ReconciliationFailed):
    pass


class TimedOut(ReconciliationFailed):
    pass


class Kind(StrEnum):
    """Kinds of a provider's resources."""

    SERVER = "server"
    VOLUME = "volume"
    ADDRESS = "address"
    SECURITY_GROUP = "security_group"
    DISK_SNAPSHOT = "disk_snapshot"
    MACHINE_IMAGE = "machine_image"


class Reason(StrEnum):
    """Why a resource was deleted: its instance has ended, has another server, or is unknown (by command only).

    Of a machine image: `retired`, as the history of its build says.
    """

    ENDED = "ended"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"
    RETIRED = "retired"


class Unknown(BaseModel):
    """A resource that belongs to no instance in the journal; `hint` says what to do.

    It has this installation's tag, or it is a volume that a refused order of ours may have left.
    `instance_id` comes from its tags; None if they name none: then nothing but a person deletes it.
    """

    model_config = ConfigDict(frozen=True)
    kind: Kind
    id: str
    zone: str
    instance_id: UUID | None
    hint: str


class Removed(BaseModel):
    """A resource that was deleted, or is being deleted by its instance's release, which was told of it."""

    model_config = ConfigDict(frozen=True)
    kind: Kind
    id: str
    zone: str
    instance_id: UUID
    reason: Reason


class Foreign(BaseModel):
    """A server of another installation of Coldstart, perhaps of this one before it lost its data.

    The ids come from its tags; None if they name none.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    zone: str
    installation: UUID | None
    instance_id: UUID | None


class Report(BaseModel):
    """One reconciliation of one provider: `servers` were checked, lists of ids are instances, `unknown` still exists.

    `foreign` is only shown: nothing of another installation is ever touched, not even by command.

    `errors` did not stop the rest; the next reconciliation tries again.
    """

    model_config = ConfigDict(frozen=True)
    provider: str
    began_at: AwareDatetime
    ended_at: AwareDatetime
    servers: int
    removed: tuple[Removed, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    foreign: tuple[Foreign, ...] = ()
    lost: tuple[UUID, ...] = ()
    stopped: tuple[UUID, ...] = ()
    restarted: tuple[UUID, ...] = ()
    readdressed: tuple[UUID, ...] = ()
    expired: tuple[UUID, ...] = ()
    errors: tuple[str, ...] = ()


class ReconciliationRequest(BaseModel):
    """`delete_unknown`: unknown resources with an instance's tag are deleted."""

    model_config = ConfigDict(frozen=True)
    delete_unknown: bool = False


class ReconciliationReply(BaseModel):
    """One report for each provider."""

    model_config = ConfigDict(frozen=True)
    reports: tuple[Report, ...]


async def request_reconciliation(connection: Client, delete_unknown: bool, timeout_s: float) -> tuple[Report, ...]:
    """Have a provisioner compare every provider with the journal, now. Raises NobodyAnswers, TimedOut."""
    request = ReconciliationRequest(delete_unknown=delete_unknown).model_dump_json().encode()
    try:
        answer = await connection.request(SUBJECT, request, timeout=timeout_s)
    except NoRespondersError:
        raise NobodyAnswers("no provisioner is running") from None
    except TimeoutError:
        raise TimedOut(f"no answer within {timeout_s:g} s") from None
    return ReconciliationReply.model_validate_json(answer.data).reports
