"""Hypothesis strategies: any fact of a deployment, and what a journal keeps of whatever people and scalers ask for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from shared.deployments import events as e
from shared.deployments.decide import DEPLOYMENT_DECISIONS, DeploymentIntent, put
from shared.deployments.deployment import Deployment
from shared.deployments.errors import DeploymentError
from shared.deployments.events import DEPLOYMENT_EVENTS, DeploymentEvent, OfTheScaler
from shared.deployments.fold import begin, evolve
from shared.deployments.news import is_news
from shared.deployments.wish import DeploymentWish
from shared.lifecycle.wish import FailedPlace
from tests.deployments import facts as d
from tests.deployments.facts import AT, ID, a_wish
from tests.lifecycle.facts import SOMEBODY

_WISHES: Final = (a_wish(), a_wish(max_replicas=9), a_wish(model="org/another"), a_wish(vllm_args=("--enforce-eager",)))
_WORDS: Final = ("one", "two", "three")
_counts: Final = st.integers(1, 3)
_ids: Final = st.builds(lambda *place: e.replica_id(ID, *place), _counts, st.integers(0, 2), _counts)

_FIELDS: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "deployment_id": st.just(ID),
    "occurred_at": st.integers(-60, 3600).map(lambda seconds: AT + timedelta(seconds=seconds)),
    "requested_by": st.none() | st.just(SOMEBODY),
    "basis": _counts,
    "wish": st.sampled_from(_WISHES),
    "revision": _counts,
    "former": _counts,
    "before": st.integers(0, 3),
    "after": st.integers(0, 3),
    "wanted": st.integers(0, 3),
    "ready": st.integers(0, 3),
    "ordinal": st.integers(0, 2),
    "generation": _counts,
    "instance_id": _ids,
    "former_instance_id": _ids,
    "failures": _counts,
    "wasted": st.integers(0, 3),
    "not_before": st.integers(0, 3600).map(lambda seconds: AT + timedelta(seconds=seconds)),
    "avoid": st.sampled_from([(), (FailedPlace(zone="a"),), (FailedPlace(zone="a", instance_type="L4"),)]),
    "code": st.sampled_from(_WORDS),
    "message": st.sampled_from(_WORDS),
    "gave_up": st.booleans(),
    "figures": st.none()
    | st.just(e.ScalingFigures(load=1, expected=2.5, lead_seconds=600, per_replica=16, min_replicas=0, max_replicas=5)),
}
"""By field name, for every event: a new field without a strategy fails here, and is not forgotten."""
_REASONS: Final[Mapping[type[DeploymentEvent], Sequence[str]]] = {
    e.DeploymentScaled: ("load", "idle"),
    e.ReplicaAdded: ("scaled", "rollout"),
    e.ReplicaRemoved: ("scaled", "halted"),
}


def _strategy(kind: type[DeploymentEvent]) -> st.SearchStrategy[DeploymentEvent]:
    others: dict[str, st.SearchStrategy[Any]] = {
        "reason": st.sampled_from(_REASONS.get(kind, ())),
        "why": st.sampled_from(("changed", "restarted", "rolled_back")),
    }
    return st.fixed_dictionaries(
        {name: others[name] if name in others else _FIELDS[name] for name in kind.model_fields}
    ).map(kind.model_validate)


_BY_KIND: Final = {kind: _strategy(kind) for kind in DEPLOYMENT_EVENTS.values()}


def events() -> st.SearchStrategy[DeploymentEvent]:
    """Any fact: of any replica, from any version."""
    return st.sampled_from(list(_BY_KIND)).flatmap(_BY_KIND.__getitem__)


def conclusions() -> st.SearchStrategy[OfTheScaler]:
    return events().filter(lambda event: isinstance(event, OfTheScaler))  # type: ignore[return-value]


def histories() -> st.SearchStrategy[Sequence[DeploymentEvent]]:
    """A creation, then any facts, in any order."""
    return st.lists(events(), max_size=12).map(lambda life: (d.deployment_created(), *life))


Asked: TypeAlias = DeploymentWish | DeploymentIntent | OfTheScaler


def asked() -> st.SearchStrategy[Sequence[Asked]]:
    """What people and scalers ask for, one after the other. A conclusion is often from the version that is the last."""
    each = st.sampled_from(_WISHES) | st.sampled_from(DeploymentIntent) | conclusions()
    return st.lists(each, max_size=20)


@dataclass(frozen=True)
class Step:
    """One fact that was recorded, with the deployment before (None: there was none) and after it."""

    before: Deployment | None
    event: DeploymentEvent
    after: Deployment


def recorded(asks: Sequence[Asked], *, late: bool = False) -> Iterator[Step]:
    """What a journal keeps of these. `late`: a conclusion is from whatever version it says; else from the last."""
    deployment: Deployment | None = None
    for number, each in enumerate(asks):
        event = _judged(deployment, each, AT + timedelta(seconds=number), late=late)
        if event is not None:
            before = deployment
            deployment = _after(before, event)
            yield Step(before, event, deployment)


def _after(deployment: Deployment | None, event: DeploymentEvent) -> Deployment:
    if deployment is not None:
        return evolve(deployment, event)
    assert isinstance(event, e.DeploymentCreated)
    return begin(event)


def _judged(deployment: Deployment | None, each: Asked, at: datetime, *, late: bool) -> DeploymentEvent | None:
    try:
        match each:
            case DeploymentWish():
                return put(deployment, ID, each, at)
            case DeploymentIntent():
                return DEPLOYMENT_DECISIONS[each](deployment, ID, at)
    except DeploymentError:
        return None
    if deployment is None:
        return None
    conclusion = each if late else each.model_copy(update={"basis": deployment.version})
    assert isinstance(conclusion, DeploymentEvent)
    return conclusion if is_news(deployment, conclusion) else None
