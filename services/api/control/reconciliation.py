"""`/reconcile`: have the provisioner compare the providers' resources with the journal, now."""

from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, post
from litestar.params import JSONBody
from nats.aio.client import Client
from pydantic import BaseModel, ConfigDict

from services.api.access.api_keys import ApiKey
from services.api.audit.entries import EntryType, NewEntry, Subject
from services.api.audit.repository import AuditRepository
from services.api.control.dependencies import Provided
from services.api.control.errors import NoProvisioner, ReconciliationUnfinished
from services.api.control.openapi.answers import refusals
from services.api.refusals import Kind
from shared.actor import Actor
from shared.reconciliation import (
    NobodyAnswers,
    Report,
    TimedOut,
    request_reconciliation,
)

EVERY_PROVIDER: Final = Subject(kind="provider", id="all", name="every provider")


@dataclass(frozen=True)
class Reconciliation:
    connection: Client
    patience_s: float

    async def __call__(self, *, delete_unknown: bool) -> tuple[Report, ...]:
        """Raises NoProvisioner, ReconciliationUnfinished."""
        try:
            return await request_reconciliation(self.connection, delete_unknown, self.patience_s)
        except NobodyAnswers:
            detail = "No provisioner is running, and only a provisioner talks to providers. Start one, and try again."
            raise NoProvisioner(detail) from None
        except TimedOut:
            detail = f"It is not done after {self.patience_s:g} s, and continues; the provisioner logs what it finds."
            raise ReconciliationUnfinished(detail) from None


class ReconciliationBody(BaseModel):
    """The body of POST /reconcile."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    delete_unknown: bool = False


class Reports(BaseModel):
    """One report for each provider."""

    model_config = ConfigDict(frozen=True)
    items: tuple[Report, ...]
    next_cursor: None = None


@post(
    "/reconcile",
    status_code=200,
    summary="Compare what the providers hold with the journal, now",
    responses=refusals({Kind.UNFINISHED: "It is not done in time, and goes on"}),
    description="What belongs to an ended instance, and duplicates, are removed, as every minute. Resources of "
    "instances that nobody knows are reported, and deleted only with `delete_unknown`.",
)
async def reconcile(
    request: Request[Actor, ApiKey, Any],
    data: JSONBody[ReconciliationBody],
    reconciliation: Provided[Reconciliation],
    audit: Provided[AuditRepository],
) -> Reports:
    details = {"delete_unknown": data.delete_unknown}
    await audit.add(NewEntry(EntryType.RECONCILIATION_REQUESTED, request.user, EVERY_PROVIDER, details=details))
    return Reports(items=await reconciliation(delete_unknown=data.delete_unknown))


ROUTES: Final = (reconcile,)
