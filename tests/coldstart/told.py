"""What an api tells of an instance: events and rows, each with only what a test is about."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
ID = "6d16afc4-88bb-50cb-ab0d-66df610beb53"
OTHER_ID = "6d990000-0000-4000-8000-000000000000"
BEGAN = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)

Event = dict[str, Any]


def an_instance(status: str = "ready", step: str = "InstanceReady", progress: int = 100, **more: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "name": "qwen",
        "model": MODEL,
        "provider": "scaleway",
        "zone": "fr-par-2",
        "instance_type": "L4-1-24G",
        "status": status,
        "step": step,
        "step_since": BEGAN.isoformat(),
        "progress_percent": progress,
        "eta": None,
        "hourly_price": 0.75,
        "currency": "EUR",
        "cost": None,
        "server_on": False,
        "version": 1,
        "error": None,
        "delay": None,
        **more,
    }


def an_event(
    version: int, name: str, status: str, progress: int, *, step: str | None = None, after: float = 0.0, **fact: Any
) -> Event:
    """`after`: seconds since the instance was asked for."""
    at, began = (BEGAN + timedelta(seconds=after)).isoformat(), BEGAN.isoformat()
    snapshot: dict[str, Any] = {
        "id": ID,
        "specification": {"name": "qwen", "model": MODEL, "instance_types": ["L4-1-24G"]},
        "zone": "fr-par-2",
        "instance_type": "L4-1-24G",
        "hourly_price": 0.75,
        "currency": "EUR",
        "status": status,
        "step": step or name,
        "progress_percent": progress,
        "milestones": [],
        "error": {"code": fact["code"], "message": fact["message"]} if "code" in fact else None,
        **dict.fromkeys(("created_at", "attempt_started_at"), began),
        **dict.fromkeys(("progress_since", "status_since", "updated_at"), at),
        "version": version,
    }
    return {"type": name, "subject": ID, "time": at, "data": {"event": fact, "instance": snapshot}}


def of_another(instance_id: str, event: Event, **specification: Any) -> Event:
    """The same of this instance."""
    snapshot = event["data"]["instance"]
    its = {**snapshot, "id": instance_id, "specification": {**snapshot["specification"], **specification}}
    return {**event, "subject": instance_id, "data": {**event["data"], "instance": its}}


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


def message(event: Event, epoch: str = "0a0b0c0d") -> bytes:
    """As it comes over an event stream."""
    version = event["data"]["instance"]["version"]
    return f"id: {epoch}-{version}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def an_eta(p50_seconds: float, p90_seconds: float, **basis: Any) -> dict[str, Any]:
    return {
        "p50_seconds": p50_seconds,
        "p90_seconds": p90_seconds,
        "ready_at_p50": (BEGAN + timedelta(seconds=p50_seconds)).isoformat(),
        "ready_at_p90": (BEGAN + timedelta(seconds=p90_seconds)).isoformat(),
        "basis": {"group": "model", "launches": 12, **basis},
    }


def an_estimate(p50_seconds: float, p90_seconds: float, instance_id: str = ID) -> Event:
    return {"instance_id": instance_id, "version": 1, "eta": an_eta(p50_seconds, p90_seconds)}


def estimate(p50_seconds: float, p90_seconds: float) -> bytes:
    """As it comes over an event stream."""
    return f"event: estimate\ndata: {json.dumps(an_estimate(p50_seconds, p90_seconds))}\n\n".encode()
