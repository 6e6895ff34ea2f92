"""What an event stream of the api tells, as types."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from shared.description import Description
from shared.eta.estimate import Estimate


@dataclass(frozen=True)
class Happened:
    """An event: `fact` is what happened, `instance` what it made of it; `json` is all of it, as it came."""

    type: str
    at: datetime
    fact: Mapping[str, Any]
    instance: Description
    json: dict[str, Any]


@dataclass(frozen=True)
class Estimated:
    """When an instance will be ready, as of now."""

    instance_id: UUID
    eta: Estimate


StreamMessage: TypeAlias = Happened | Estimated


def parsed(message: dict[str, Any]) -> StreamMessage:
    """Raises pydantic's ValidationError or KeyError for what this version does not know."""
    if "eta" in message:
        return Estimated(UUID(message["instance_id"]), Estimate.model_validate(message["eta"]))
    data = message["data"]
    return Happened(
        type=message["type"],
        at=datetime.fromisoformat(message["time"]),
        fact=data["event"],
        instance=Description.model_validate(data["description"]),
        json=message,
    )
