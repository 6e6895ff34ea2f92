"""Explains which rule finds a model for the caller, and which instances would answer."""

from collections.abc import Callable
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.api.access.api_keys import ApiKey, Role
from services.api.catalogue.access_records import KnownAccess
from services.api.catalogue.resolution import ModelMissing, ModelNotFound, Resolved, Rule, allowed, resolve, shadowed
from services.api.deployments.table import DeploymentTable
from services.api.deployments.waking import why_it_does_not_wake
from services.api.router.balance import Balance
from services.api.router.breakers import Breakers, BreakerState
from services.api.router.fallback import Fallback
from services.api.router.forwarding import STALE
from services.api.router.table import RoutingTable
from shared.clock import CLOCK
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from shared.lifecycle.wish import Task
from shared.lifecycle.words import NAMES, doing, loss


class Candidate(BaseModel):
    """An instance of the model. `reason` says why it gets requests or not; `breaker` whether it was set aside."""

    model_config = ConfigDict(frozen=True)
    id: UUID
    name: str
    organization_id: UUID | None
    status: Status
    progress_percent: int
    eligible: bool
    reason: str
    breaker: BreakerState
    in_flight: int


class WakingCandidate(BaseModel):
    """A deployment of the model. `reason` says why a request of this key would wake it now or not."""

    model_config = ConfigDict(frozen=True)
    id: UUID
    name: str
    organization_id: UUID | None
    status: DeploymentStatus
    wanted: int
    wakes: bool
    reason: str


class Explanation(BaseModel):
    """`rule`, `model` and `task` are null if nothing is found.

    `code`: the error code under /v1 if the request would be refused, even with ready workers. `fallback`: the model
    that answers this key while no instance is ready, as its deployment says.
    """

    model_config = ConfigDict(frozen=True)
    asked: str
    rule: Rule | None
    model: str | None
    model_id: UUID | None
    task: Task | None
    code: str | None
    detail: str
    instances: list[Candidate]
    deployments: list[WakingCandidate]
    fallback: str | None


class Explaining:
    """`is_stale` says whether the table has heard nothing from the stream for too long."""

    def __init__(
        self,
        access: KnownAccess,
        table: RoutingTable,
        balance: Balance,
        breakers: Breakers,
        *,
        deployments: DeploymentTable,
        fallback: Fallback,
        is_stale: Callable[[], bool],
    ) -> None:
        self._access = access
        self._table = table
        self._balance = balance
        self._breakers = breakers
        self._deployments = deployments
        self._fallback = fallback
        self._is_stale = is_stale

    def explain(self, asked: str, owner: ApiKey) -> Explanation:
        organization = self._access.organization_of(owner)
        match resolve(asked, self._access.catalogue, organization):
            case Resolved() as found:
                hides = shadowed(asked, self._access.catalogue, organization)
                return self._found(asked, found, owner, _FOUND_BY[found.rule] + (_HIDES if hides else ""))
            case ModelMissing():
                return _nothing(asked, "model_required", "No model is named.")
            case ModelNotFound():
                return _nothing(asked, "model_not_found", _NOT_FOUND)

    def _found(self, asked: str, found: Resolved, owner: ApiKey, detail: str) -> Explanation:
        model = found.model
        everyone = owner.role is Role.ADMIN
        known = (
            self._table.serving_anyone(model.model)
            if everyone
            else self._table.serving(model.model, owner.organization_id)
        )
        refused = None
        if not allowed(owner, asked, model):
            refused = _Refused("model_not_allowed", "this key may not use the model")
            detail += f" This key may use {', '.join(owner.allowed_models or ())} only."
        elif self._is_stale():
            refused = _Refused("routes_stale", "the router has lost contact with the event stream")
            detail += f" {STALE}"
        return Explanation(
            asked=asked,
            rule=found.rule,
            model=model.model,
            model_id=model.id,
            task=model.task,
            code=refused and refused.code,
            detail=detail,
            instances=(instances := [self._candidate(instance, owner, refused) for instance in known]),
            deployments=self._waking(model.model, owner, refused, is_ready=any(one.eligible for one in instances)),
            fallback=self._fallback.of(model.model, {model.task}, owner),
        )

    def _waking(
        self, model: str, owner: ApiKey, refused: "_Refused | None", *, is_ready: bool
    ) -> list[WakingCandidate]:
        own = self._deployments.serving(model, owner.organization_id)
        known = self._deployments.serving_anyone(model) if owner.role is Role.ADMIN else own
        first, now = self._deployments.waking(model, owner.organization_id), CLOCK.now()

        def reason(deployment: Deployment) -> str | None:
            """Why no request of this caller wakes it now; None if one does."""
            if refused:
                return refused.reason
            if deployment not in own:
                return "it belongs to an organisation that this key does not belong to"
            if trouble := why_it_does_not_wake(deployment, now):
                return f"it {trouble.message.rstrip('.')}"
            if is_ready:
                return "an instance of the model is ready"
            return None if deployment is first or first is None else f"{first.name} wakes before it"

        return [
            WakingCandidate(
                id=each.id,
                name=each.name,
                organization_id=each.organization_id,
                status=each.status,
                wanted=each.wanted,
                wakes=(why := reason(each)) is None,
                reason=why or "a request for its model wakes it, or waits for its replica",
            )
            for each in known
            if each.status is not DeploymentStatus.DELETED
        ]

    def _candidate(self, instance: Instance, owner: ApiKey, refused: "_Refused | None") -> Candidate:
        reason = refused.reason if refused else self._reason(instance, owner)
        return Candidate(
            id=instance.id,
            name=instance.specification.name,
            organization_id=instance.specification.organization_id,
            status=instance.status,
            progress_percent=instance.progress_percent,
            eligible=reason is None,
            reason=reason or "it is ready",
            breaker=self._breaker(instance),
            in_flight=self._balance.in_flight(instance.id),
        )

    def _breaker(self, instance: Instance) -> BreakerState:
        worker = self._table.worker(instance.id)
        return self._breakers.state(worker) if worker else BreakerState.CLOSED

    def _reason(self, instance: Instance, owner: ApiKey) -> str | None:
        """Why it gets no request of this caller now; None if it does."""
        if instance.specification.organization_id not in (None, owner.organization_id):
            return "it belongs to an organisation that this key does not belong to"
        if instance.status is not Status.READY:
            what = loss(instance) or doing(instance.status, instance.step, instance.error, instance.delay)
            return f"it is {NAMES[instance.status]} ({instance.progress_percent} %{what and f', {what}'})"
        if self._breaker(instance) is BreakerState.OPEN:
            return "it was set aside since it failed, and it has answered no probe since"
        return None


class _Refused(NamedTuple):
    """Why no worker at all would be asked."""

    code: str
    reason: str


_HIDES: Final = (
    " It hides the offering of this name that this key's organisation has. The list of offerings says what to do."
)
_FOUND_BY: Final = {
    Rule.ID: "It is the id of a catalogued model.",
    Rule.PUBLIC: "It is the whole id of a catalogued public model, which means the same for everyone.",
    Rule.OFFERING: "It is an active offering of this key's organisation.",
}
_NOT_FOUND: Final = (
    "It is not the id of a catalogued model, not the whole id of a public model, and not an active offering of this "
    "key's organisation. An administrator adds a public model with POST /models. A request for an instance adds its "
    "model, too."
)


def _nothing(asked: str, code: str, detail: str) -> Explanation:
    return Explanation(
        asked=asked,
        rule=None,
        model=None,
        model_id=None,
        task=None,
        code=code,
        detail=detail,
        instances=[],
        deployments=[],
        fallback=None,
    )
