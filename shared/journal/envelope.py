"""The CloudEvents 1.0 body of every event: `data` holds the fact and the instance after it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import from_json

from shared.lifecycle.events import EVENTS, Event
from shared.lifecycle.instance import Instance
from shared.lifecycle.snapshot import with_findings

SCHEMA_VERSION: Final = 2


def _findings_apart(body: dict[str, Any]) -> dict[str, Any]:
    """Version 1 published what admission found as fields of the specification only."""
    data = body["data"]
    return {**body, "data": {"event": with_findings(data["event"]), "instance": with_findings(data["instance"])}}


UPCASTS: Final[Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {1: _findings_apart}
"""From the body of schema version N to that of N + 1."""


class Undecodable(Exception):
    """The bytes are not an event that this version knows; the message says why."""


@dataclass(frozen=True)
class Origin:
    """Which service recorded an event, and which event caused it. `traceparent` as in W3C Trace Context."""

    actor: str
    causation_id: UUID | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class Recorded:
    """An event as the journal holds it. `sequence` is its global position, `recorded_at` the stream's own clock."""

    id: UUID
    event: Event
    instance: Instance
    origin: Origin
    sequence: int
    recorded_at: datetime


def encode(event_id: UUID, event: Event, instance: Instance, origin: Origin, source: str) -> bytes:
    body = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": source,
        "type": event.type(),
        "subject": str(instance.id),
        "time": event.occurred_at.isoformat(),
        "datacontenttype": "application/json",
        "dataschema": f"urn:coldstart:event:{event.type()}:{SCHEMA_VERSION}",
        "actor": origin.actor,
        "causationid": str(origin.causation_id) if origin.causation_id else None,
        "traceparent": origin.traceparent,
        "data": {"event": event.model_dump(mode="json"), "instance": instance.model_dump(mode="json")},
    }
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def decode(data: bytes, sequence: int, recorded_at: datetime) -> Recorded:
    """Raises Undecodable."""
    try:
        body = _upcast(from_json(data))
        causation = body.get("causationid")
        return Recorded(
            id=UUID(body["id"]),
            event=EVENTS[body["type"]].model_validate(body["data"]["event"]),
            instance=Instance.model_validate(body["data"]["instance"]),
            origin=Origin(body["actor"], UUID(causation) if causation else None, body.get("traceparent")),
            sequence=sequence,
            recorded_at=recorded_at,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError) as error:
        raise Undecodable(f"{type(error).__name__}: {error}") from error


def _upcast(body: dict[str, Any]) -> dict[str, Any]:
    version = int(body["dataschema"].rpartition(":")[2])
    for step in range(version, SCHEMA_VERSION):
        body = UPCASTS[step](body)
    return body
