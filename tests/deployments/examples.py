"""A deployment and its instances, as tests begin with them, and the steps of `plan` carried out on them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from shared.deployments import events as e
from shared.deployments.deployment import Deployment, Replica
from shared.deployments.fold import begin, evolve
from shared.deployments.load import SAMPLE_S, Bounds, Demand, Lead, Sample
from shared.deployments.plan import plan
from shared.deployments.steps import Conclude, Step
from shared.deployments.wish import DeploymentWish, Rollout, Scaling, Template
from shared.lifecycle.instance import Failure, Instance, Resources
from shared.lifecycle.status import FAILURES, GONE, Status
from shared.lifecycle.wish import Findings, Wish

AT: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ID: Final = e.deployment_id("chat", None)
LEAD: Final = Lead(p50_s=300, p90_s=600)
NOBODY: Final = Demand(known=True)


def a_wish(**overrides: Any) -> DeploymentWish:
    """Fields of the template, the scaling and the rollout, by their names."""
    fields: dict[str, Any] = {
        "model": "org/model",
        "zones": ("a", "b"),
        "instance_types": ("L4", "L40S"),
        "min_replicas": 1,
        "max_replicas": 5,
    } | overrides

    def those_of(kind: type[BaseModel]) -> dict[str, Any]:
        return {name: value for name, value in fields.items() if name in kind.model_fields}

    assert fields.keys() <= Template.model_fields.keys() | Scaling.model_fields.keys() | Rollout.model_fields.keys()
    template = Template(**those_of(Template))
    return DeploymentWish(
        name="chat", template=template, scaling=Scaling(**those_of(Scaling)), rollout=Rollout(**those_of(Rollout))
    )


def a_deployment(**overrides: Any) -> Deployment:
    return begin(e.DeploymentCreated(deployment_id=ID, occurred_at=AT, wish=a_wish(**overrides), revision=1))


def changed(deployment: Deployment, at: datetime = AT, **overrides: Any) -> Deployment:
    """The deployment with another wish; another template begins a revision."""
    wish = a_wish(**overrides)
    revision = deployment.revision + (wish.template != deployment.wish.template)
    return evolve(deployment, e.DeploymentChanged(deployment_id=ID, occurred_at=at, wish=wish, revision=revision))


def an_instance(
    replica: Replica | UUID, status: Status = Status.READY, *, since: datetime = AT, **overrides: Any
) -> Instance:
    """In this status since then. It has a server in zone a, unless it is gone; `code` is that of its error."""
    code = overrides.pop("code", "startup_timeout" if status in FAILURES else None)
    served = status in (Status.READY, Status.UNAVAILABLE, Status.DRAINING)
    fields: dict[str, Any] = {
        "id": replica if isinstance(replica, UUID) else replica.instance_id,
        "specification": Wish(name="chat-0", model="org/model"),
        "findings": Findings(),
        "zone": "a",
        "instance_type": "L4",
        "status": status,
        "progress_percent": 5,
        "step": "InstanceRequested",
        "milestones": frozenset(),
        "resources": Resources(server_id="server", released=status in GONE),
        "error": Failure(code=code, message="It failed.") if code else None,
        "created_at": since,
        "attempt_started_at": since,
        "status_since": since,
        "ready_at": since if served else None,
        "ended_at": since if status in FAILURES | GONE else None,
        "updated_at": since,
    }
    return Instance(**fields | overrides)


def samples(*loads: float, until: datetime = AT) -> tuple[Sample, ...]:
    """One of ten seconds for each, the last of which ends then."""
    begin = until - timedelta(seconds=SAMPLE_S * len(loads))
    return tuple(
        Sample(at=begin + timedelta(seconds=SAMPLE_S * number), mean=load, peak=load)
        for number, load in enumerate(loads)
    )


def a_demand(load: float, *before: float, now: datetime = AT, **overrides: Any) -> Demand:
    """So many requests in flight, now and in the samples before."""
    return Demand(**{"known": True, "in_flight": load, "recent": samples(*before, until=now), **overrides})


def steps(
    deployment: Deployment,
    instances: Mapping[UUID, Instance] = {},
    demand: Demand = NOBODY,
    now: datetime = AT,
    **more: Any,
) -> tuple[Step, ...]:
    bounds: tuple[Bounds, ...] = more.get("bounds", ())
    return plan(deployment, instances, demand, more.get("lead", LEAD), bounds, now)


def concluded(
    deployment: Deployment,
    instances: Mapping[UUID, Instance] = {},
    demand: Demand = NOBODY,
    now: datetime = AT,
    **more: Any,
) -> tuple[Deployment, list[e.OfTheScaler], tuple[Step, ...]]:
    """The deployment after all conclusions that follow one another, those, and the steps that are left."""
    facts: list[e.OfTheScaler] = []
    for _ in range(100):
        left = steps(deployment, instances, demand, now, **more)
        if not left or not isinstance(left[0], Conclude):
            return deployment, facts, left
        facts.append(left[0].event)
        deployment = evolve(deployment, left[0].event)  # type: ignore[arg-type]
    raise AssertionError(f"it concludes for ever: {facts[-3:]}")


def with_ready(number: int, **overrides: Any) -> Deployment:
    """So many are wanted and there: their instances are ready if the test says so of each replica."""
    deployment = a_deployment(**overrides)
    replicas = tuple(
        Replica(ordinal=ordinal, revision=1, generation=1, instance_id=e.replica_id(ID, 1, ordinal, 1))
        for ordinal in range(number)
    )
    return deployment.model_copy(update={"wanted": number, "replicas": replicas, "generations": (1,) * number})
