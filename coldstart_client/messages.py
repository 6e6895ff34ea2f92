"""The messages of an event stream, as types."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from coldstart_client.answers import DeploymentDescription, Estimate, InstanceView
from coldstart_client.errors import UnexpectedAnswer
from coldstart_client.reading import read
from coldstart_client.stream_messages import Connected, StreamMessage


@dataclass(frozen=True)
class InstanceEvent:
    """`fact` is what happened, `instance` what it made of it, without an `eta`; `json` is all of it, as it came."""

    type: str
    at: datetime
    position: str
    fact: dict[str, Any]
    instance: InstanceView
    json: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class DeploymentEvent:
    """The same of a deployment; `words` say what happened and why, for people."""

    type: str
    at: datetime
    position: str
    fact: dict[str, Any]
    words: str
    deployment: DeploymentDescription
    json: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Estimated:
    """When a starting instance will be ready, as of now."""

    instance_id: UUID
    version: int
    eta: Estimate


Event: TypeAlias = InstanceEvent | DeploymentEvent
Message: TypeAlias = Event | Estimated | Connected


def message_of(received: StreamMessage) -> Message:
    """Raises UnexpectedAnswer."""
    if isinstance(received, Connected):
        return received
    json, position = received.data, received.position
    try:
        if "eta" in json:
            return Estimated(UUID(json["instance_id"]), int(json["version"]), read(Estimate, json["eta"]))
        data, kind, at = json["data"], str(json["type"]), datetime.fromisoformat(json["time"])
        if "deployment" in data:
            deployment = read(DeploymentDescription, data["description"])
            return DeploymentEvent(kind, at, position, data["event"], str(data.get("words", "")), deployment, json)
        instance = read(InstanceView, {"eta": None, **data["description"]})
        return InstanceEvent(kind, at, position, data["event"], instance, json)
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(f"the event stream has what this version of the library cannot read: {error}") from error
