"""What an api tells of a deployment: rows, each with only what a test is about."""

from typing import Any, Final

from coldstart.stream_messages import DeploymentHappened, parsed
from shared.deployments.description import DeploymentDescription
from shared.deployments.events import DeploymentEvent
from shared.deployments.fold import fold
from tests.coldstart.told import BEGAN, ID, MODEL, an_instance

DEPLOYMENT_ID: Final = "aa16afc4-88bb-50cb-ab0d-66df610beb53"
ASKED: Final[dict[str, Any]] = {
    "organization": None,
    "model": MODEL,
    "task": "generate",
    "provider": "scaleway",
    "zones": [],
    "instance_types": [],
    "volume_gb": 200,
    "image": None,
    "revision": None,
    "vllm_args": [],
    "min_replicas": 0,
    "max_replicas": 1,
    "target_in_flight": 16.0,
    "scale_down_after": 300,
    "scale_to_zero_after": 900,
    "hold": 600,
    "schedule": [],
    "fallback": None,
    "rollout": {"surge": 1, "settle": 30},
}


def a_deployment(name: str = "chat", *, asked: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A row of `/deployments`. `asked`: what differs from the defaults."""
    its = {**ASKED, **(asked or {})}
    return {
        "id": DEPLOYMENT_ID,
        "name": name,
        "organization_id": None,
        "model": its["model"],
        "status": "active",
        "status_label": "active",
        "tone": "good",
        "doing": "",
        "actions": ["pause", "restart", "delete"],
        "wanted": 0,
        "ready": 0,
        "on_their_way": 0,
        "revision": 1,
        "serving_revision": 1,
        "replicas": [],
        "rollout": None,
        "degraded": None,
        "load": {"in_flight": 0, "held": 0, "arriving_per_s": 0.0},
        "hourly_price": 0.0,
        "monthly_price": 0.0,
        "currency": None,
        "delay": None,
        "asked": its,
        "version": 1,
        "warnings": [],
        **dict.fromkeys(("status_since", "created_at", "updated_at", "as_of"), BEGAN.isoformat()),
        **more,
    }


def a_replica(ordinal: int = 0, instance: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "ordinal": ordinal,
        "revision": 1,
        "generation": 1,
        "instance_id": ID,
        "instance": instance,
        "leaving": False,
        "failures": 0,
        "not_before": None,
        "avoid": [],
        "refusal": None,
        **more,
    }


SERVING: Final = a_deployment(
    asked={"max_replicas": 3},
    wanted=2,
    ready=1,
    on_their_way=1,
    doing="rolling out revision 2",
    load={"in_flight": 12, "held": 2, "arriving_per_s": 1.5},
    hourly_price=1.5,
    monthly_price=1095.0,
    currency="EUR",
    replicas=[
        a_replica(instance=an_instance()),
        a_replica(1, refusal={"code": "limit_reached", "message": "2 of 2 instances.", "since": BEGAN.isoformat()}),
    ],
)
EVENTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("DeploymentScaled", {"basis": 1, "before": 0, "after": 1, "reason": "woken", "message": "a request came"}),
    ("RolloutHalted", {"basis": 2, "revision": 2, "code": "oom", "message": "it has too little memory."}),
    ("DeploymentPaused", {}),
    ("SomethingNew", {"message": "of a later version"}),
)


def happened_to(*facts: DeploymentEvent) -> list[DeploymentHappened]:
    """The messages of these facts, from the first of a deployment on."""
    messages = []
    for at, fact in enumerate(facts, 1):
        deployment = fold(facts[:at])
        assert deployment is not None
        its = {
            "event": fact.model_dump(mode="json"),
            "deployment": deployment.model_dump(mode="json"),
            "description": DeploymentDescription.of(deployment, BEGAN).model_dump(mode="json"),
        }
        message = parsed({"type": fact.type(), "subject": str(deployment.id), "time": BEGAN.isoformat(), "data": its})
        assert isinstance(message, DeploymentHappened)
        messages.append(message)
    return messages


def shown_after(*facts: DeploymentEvent) -> dict[str, Any]:
    """The row of a deployment after these facts; none of its instances is launched yet."""
    described = happened_to(*facts)[-1].json["data"]["description"]
    replicas = [{**replica, "instance": None} for replica in described["replicas"]]
    return a_deployment(**{**described, "replicas": replicas})


def timeline() -> list[dict[str, Any]]:
    when = {"occurred_at": BEGAN.isoformat(), "recorded_at": BEGAN.isoformat(), "status": "active", "sequence": 7}
    return [
        {"version": at, "type": kind, "actor": "scaler", "data": fact, **when}
        for at, (kind, fact) in enumerate(EVENTS, 2)
    ]
