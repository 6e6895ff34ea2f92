"""One builder per fact of a deployment: a complete example, of which a test overrides what it is about."""

from typing import Any, Final, TypeVar

from shared.actor import RequestedBy
from shared.deployments import events as e
from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentEvent, DeploymentFact, deployment_id, replica_id
from shared.deployments.fold import fold
from shared.deployments.wish import DeploymentWish
from tests.deployments import examples
from tests.lifecycle.facts import SOMEBODY

AT: Final = examples.AT
ID: Final = examples.ID
MESSAGE: Final = "why it is so"
_Fact = TypeVar("_Fact", bound=DeploymentFact)


def a_wish(*, name: str = "chat", **changes: Any) -> DeploymentWish:
    """As `examples.a_wish`; from zero to one replica."""
    wish = examples.a_wish(**{"min_replicas": 0, "max_replicas": 1, **changes})
    return wish.model_copy(update={"name": name})


def _built(kind: type[_Fact], example: dict[str, Any], changes: dict[str, Any]) -> _Fact:
    asked: dict[str, Any] = {"requested_by": SOMEBODY} if issubclass(kind, RequestedBy) else {}
    return kind.model_validate({"deployment_id": ID, "occurred_at": AT, **asked, **example, **changes})


def deployment_created(**changes: Any) -> e.DeploymentCreated:
    wish = changes.pop("wish", a_wish())
    its_id = deployment_id(wish.name, wish.organization_id)
    return _built(e.DeploymentCreated, {"deployment_id": its_id, "wish": wish, "revision": 1}, changes)


def deployment_changed(**changes: Any) -> e.DeploymentChanged:
    return _built(e.DeploymentChanged, {"wish": a_wish(task="embed"), "revision": 2}, changes)


def deployment_paused(**changes: Any) -> e.DeploymentPaused:
    return _built(e.DeploymentPaused, {}, changes)


def deployment_resumed(**changes: Any) -> e.DeploymentResumed:
    return _built(e.DeploymentResumed, {}, changes)


def deployment_deleted(**changes: Any) -> e.DeploymentDeleted:
    return _built(e.DeploymentDeleted, {}, changes)


def deployment_scaled(**changes: Any) -> e.DeploymentScaled:
    example = {"basis": 1, "before": 0, "after": 1, "reason": "woken", "message": MESSAGE}
    return _built(e.DeploymentScaled, example, changes)


def replica_added(**changes: Any) -> e.ReplicaAdded:
    place = {"revision": 1, "ordinal": 0, "generation": 1}
    its_id = replica_id(changes.get("deployment_id", ID), **{name: changes.get(name, place[name]) for name in place})
    return _built(e.ReplicaAdded, {"basis": 1, **place, "instance_id": its_id, "reason": "scaled"}, changes)


def replica_replaced(**changes: Any) -> e.ReplicaReplaced:
    example = {
        "basis": 1,
        "ordinal": 0,
        "former_instance_id": replica_id(ID, 1, 0, 1),
        "generation": 2,
        "instance_id": replica_id(ID, 1, 0, 2),
        "code": "out_of_stock",
        "message": MESSAGE,
        "failures": 1,
        "not_before": AT,
        "avoid": ({"zone": "fr-par-2"},),
    }
    return _built(e.ReplicaReplaced, example, changes)


def replica_removed(**changes: Any) -> e.ReplicaRemoved:
    return _built(e.ReplicaRemoved, {"basis": 1, "instance_id": replica_id(ID, 1, 0, 1), "reason": "scaled"}, changes)


def replica_ended(**changes: Any) -> e.ReplicaEnded:
    return _built(e.ReplicaEnded, {"basis": 1, "instance_id": replica_id(ID, 1, 0, 1)}, changes)


def replica_refused(**changes: Any) -> e.ReplicaRefused:
    example = {"basis": 1, "instance_id": replica_id(ID, 1, 0, 1), "code": "limit_reached", "message": MESSAGE}
    return _built(e.ReplicaRefused, example, changes)


def deployment_degraded(**changes: Any) -> e.DeploymentDegraded:
    example = {"basis": 1, "wanted": 2, "ready": 1, "code": "out_of_stock", "message": MESSAGE}
    return _built(e.DeploymentDegraded, example, changes)


def deployment_recovered(**changes: Any) -> e.DeploymentRecovered:
    return _built(e.DeploymentRecovered, {"basis": 1, "ready": 2}, changes)


def rollout_started(**changes: Any) -> e.RolloutStarted:
    return _built(e.RolloutStarted, {"basis": 1, "revision": 2, "former": 1}, changes)


def rollout_finished(**changes: Any) -> e.RolloutFinished:
    return _built(e.RolloutFinished, {"basis": 1, "revision": 2}, changes)


def rollout_halted(**changes: Any) -> e.RolloutHalted:
    return _built(e.RolloutHalted, {"basis": 1, "revision": 2, "code": "startup_failed", "message": MESSAGE}, changes)


def given(*history: DeploymentEvent) -> Deployment:
    """The deployment after these facts, of which the first is a creation."""
    deployment = fold(history)
    assert deployment is not None
    return deployment
