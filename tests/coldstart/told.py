"""What an api tells of an instance: events and rows, each with only what a test is about."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from coldstart.stream_messages import AnyMessage, DeploymentHappened, Estimated, Happened, parsed
from shared.description import Description, InstanceView
from shared.eta.estimate import Estimate
from shared.lifecycle.groups import GROUPS
from shared.lifecycle.instance import Delay, Failure, Instance
from shared.lifecycle.progress import label
from shared.lifecycle.status import SERVING, Status
from shared.lifecycle.tone import TONES
from shared.lifecycle.words import NAMES, doing, where

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
ID = "6d16afc4-88bb-50cb-ab0d-66df610beb53"
OTHER_ID = "6d990000-0000-4000-8000-000000000000"
BEGAN = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def an_id(number: int) -> str:
    return str(UUID(int=number))


def an_instance(status: str = "ready", step: str = "InstanceReady", progress: int = 100, **more: Any) -> dict[str, Any]:
    """A row of `/instances`; `eta` may be an Estimate."""
    its, began = Status(status), BEGAN.isoformat()
    error = Failure.model_validate(more["error"]) if more.get("error") else None
    delay = Delay.model_validate(more["delay"]) if more.get("delay") else None
    eta = more.pop("eta", None)
    return {
        "id": ID,
        "organization_id": None,
        "name": "qwen",
        "model": MODEL,
        "task": "generate",
        "provider": "scaleway",
        "zone": "fr-par-2",
        "instance_type": "L4-1-24G",
        "ip_address": None,
        "status": status,
        "status_label": NAMES[its],
        "group": GROUPS[its],
        "tone": TONES[its],
        "step": step,
        "step_label": label(step),
        "doing": doing(its, step, error, delay),
        "where": where(its, step, delay),
        "waits_for": None,
        "advice": None,
        "serving": its in SERVING,
        "actions": [],
        "progress_percent": progress,
        "attempt": 1,
        "eta": eta and eta.model_dump(mode="json"),
        "hourly_price": 0.75,
        "currency": "EUR",
        "cost": None,
        "server_on": False,
        "version": 1,
        "error": None,
        "delay": None,
        **dict.fromkeys(("status_since", "step_since", "created_at", "updated_at", "as_of"), began),
        "ready_at": None,
        **more,
    }


def a_view(status: str = "ready", step: str = "InstanceReady", progress: int = 100, **more: Any) -> InstanceView:
    """The same as the command line takes it."""
    return InstanceView.model_validate(an_instance(status, step, progress, **more))


def an_event(
    version: int,
    name: str,
    status: str,
    progress: int,
    *,
    step: str | None = None,
    after: float = 0.0,
    delay: dict[str, Any] | None = None,
    **fact: Any,
) -> Happened:
    """`after`: seconds since the instance was asked for; `delay`: what holds it up then."""
    at, began = BEGAN + timedelta(seconds=after), BEGAN.isoformat()
    snapshot: dict[str, Any] = {
        "id": ID,
        "specification": {"name": "qwen", "model": MODEL, "instance_types": ["L4-1-24G"]},
        "findings": {},
        "zone": "fr-par-2",
        "instance_type": "L4-1-24G",
        "hourly_price": 0.75,
        "currency": "EUR",
        "status": status,
        "step": step or name,
        "progress_percent": progress,
        "milestones": [],
        "delay": delay,
        "error": {"code": fact["code"], "message": fact["message"]} if "code" in fact else None,
        **dict.fromkeys(("created_at", "attempt_started_at"), began),
        **dict.fromkeys(("progress_since", "status_since", "updated_at"), at.isoformat()),
        "version": version,
    }
    return _happened(name, at, fact, snapshot)


def of_another(instance_id: str, event: Happened, **specification: Any) -> Happened:
    """The same of this instance."""
    snapshot = event.json["data"]["instance"]
    its = {**snapshot, "id": instance_id, "specification": {**snapshot["specification"], **specification}}
    return _happened(event.type, event.at, dict(event.fact), its)


def _happened(name: str, at: datetime, fact: dict[str, Any], snapshot: dict[str, Any]) -> Happened:
    description = Description.of(Instance.model_validate(snapshot), at).model_dump(mode="json")
    data = {"event": fact, "instance": snapshot, "description": description}
    happened = told_as({"type": name, "subject": snapshot["id"], "time": at.isoformat(), "data": data})
    assert isinstance(happened, Happened)
    return happened


def told_as(message: dict[str, Any]) -> AnyMessage:
    """What the command line takes an event's message for."""
    return parsed(message)


LAUNCH = (
    an_event(1, "InstanceRequested", "provisioning", 5),
    an_event(2, "InstanceCreated", "provisioning", 20, after=1.0),
    an_event(3, "SshInstallStarted", "installing", 55, after=4.0),
    an_event(4, "SshInstallPhaseReached", "installing", 57, after=6.0, phase="image_pull"),
    an_event(5, "SshInstallCompleted", "starting", 60, after=9.5),
    an_event(6, "InstanceReady", "ready", 100, after=12.0),
)
ENDING = (
    an_event(7, "TerminationRequested", "terminating", 100, step="InstanceReady", after=60.0),
    an_event(8, "InstanceTerminated", "terminated", 100, step="InstanceReady", after=61.0),
)
FAILURE = (
    LAUNCH[0],
    an_event(2, "ProvisioningFailed", "provisioning_failed", 5, step="InstanceRequested", code="c", message="m [x]"),
)


def message(event: Happened | DeploymentHappened, epoch: str = "0a0b0c0d") -> bytes:
    """As it comes over an event stream."""
    version = event.instance.version if isinstance(event, Happened) else event.deployment.version
    return f"id: {epoch}-{version}\nevent: {event.type}\ndata: {json.dumps(event.json)}\n\n".encode()


def an_eta(p50_seconds: float, p90_seconds: float, **basis: Any) -> Estimate:
    return Estimate.model_validate(
        {
            "p50_seconds": p50_seconds,
            "p90_seconds": p90_seconds,
            "ready_at_p50": BEGAN + timedelta(seconds=p50_seconds),
            "ready_at_p90": BEGAN + timedelta(seconds=p90_seconds),
            "basis": {"group": "model", "launches": 12, **basis},
        }
    )


def an_estimate(p50_seconds: float, p90_seconds: float, instance_id: str = ID) -> Estimated:
    return Estimated(UUID(instance_id), an_eta(p50_seconds, p90_seconds))


def estimate(p50_seconds: float, p90_seconds: float) -> bytes:
    """As it comes over an event stream."""
    told = {"instance_id": ID, "version": 1, "eta": an_eta(p50_seconds, p90_seconds).model_dump(mode="json")}
    return f"event: estimate\ndata: {json.dumps(told)}\n\n".encode()
