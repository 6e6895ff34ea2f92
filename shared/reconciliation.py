"""Reconciliation on demand: how it is asked for over core NATS, and the reports that come back.

ReconciliationFailed
├── NobodyAnswers   no provisioner is there to ask
└── TimedOut        it takes longer than the caller waits; the rounds go on
"""

from enum import StrEnum
from typing import Final
from uuid import UUID

from nats.aio.client import Client
from nats.errors import NoRespondersError
from pydantic import AwareDatetime, BaseModel, ConfigDict

SUBJECT: Final = "requests.reconcile"
QUEUE: Final = "provisioner"
"""One of the provisioners answers."""


class ReconciliationFailed(Exception):
    pass


class NobodyAnswers(ReconciliationFailed):
    pass


class TimedOut(ReconciliationFailed):
    pass


class Kind(StrEnum):
    """Of what a provider rents out."""

    SERVER = "server"
    VOLUME = "volume"
    ADDRESS = "address"
    SECURITY_GROUP = "security_group"


class Reason(StrEnum):
    """Why something was taken away: its instance has ended, has another server, or is unknown (only by command)."""

    ENDED = "ended"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"


class Unknown(BaseModel):
    """A resource that bears this installation's tag, and no instance's that the journal knows; `hint` says what to do.

    `instance_id` is what its tags name, None when they name none.
    """

    model_config = ConfigDict(frozen=True)
    kind: Kind
    id: str
    zone: str
    instance_id: UUID | None
    hint: str


class Removed(BaseModel):
    """What was deleted, or is being deleted by its instance's release, which was told of it."""

    model_config = ConfigDict(frozen=True)
    kind: Kind
    id: str
    zone: str
    instance_id: UUID
    reason: Reason


class Foreign(BaseModel):
    """A server of another installation of Coldstart, perhaps of the one that this was before it lost its data.

    The ids are what its tags name, None where they name none.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    zone: str
    installation: UUID | None
    instance_id: UUID | None


class Report(BaseModel):
    """One round with one provider: `servers` were looked at, the lists of ids are instances, `unknown` is still there.

    `foreign` is only shown: nothing of another installation is ever touched, not by command either.

    A round that had `errors` did the rest; the next one tries again.
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
    """`delete_unknown`: what the rounds find unknown, and bears the tag of an instance, is deleted."""

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
