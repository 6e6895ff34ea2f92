"""What an event stream tells, as types."""

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
Happening: TypeAlias = Event | Estimated | Connected


def happening(message: StreamMessage) -> Happening:
    """Raises UnexpectedAnswer."""
    if isinstance(message, Connected):
        return message
    told, position = message.data, message.position
    try:
        if "eta" in told:
            return Estimated(UUID(told["instance_id"]), int(told["version"]), read(Estimate, told["eta"]))
        data, kind, at = told["data"], str(told["type"]), datetime.fromisoformat(told["time"])
        if "deployment" in data:
            deployment = read(DeploymentDescription, data["description"])
            return DeploymentEvent(kind, at, position, data["event"], str(data.get("words", "")), deployment, told)
        instance = read(InstanceView, {"eta": None, **data["description"]})
        return InstanceEvent(kind, at, position, data["event"], instance, told)
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(
            f"the event stream tells what this version of the library cannot read: {error}"
        ) from error
