"""What an event stream of the api tells, as types."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from shared.deployments.description import DeploymentDescription
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


@dataclass(frozen=True)
class DeploymentHappened:
    """An event of a deployment: what happened, and the deployment after it; `json` is all of it, as it came."""

    type: str
    at: datetime
    fact: Mapping[str, Any]
    deployment: DeploymentDescription
    json: dict[str, Any]


StreamMessage: TypeAlias = Happened | Estimated
"""Of an instance."""
AnyMessage: TypeAlias = StreamMessage | DeploymentHappened


def parsed(message: dict[str, Any]) -> AnyMessage:
    """Raises pydantic's ValidationError or KeyError for what this version does not know."""
    if "eta" in message:
        return Estimated(UUID(message["instance_id"]), Estimate.model_validate(message["eta"]))
    data, kind, at = message["data"], message["type"], datetime.fromisoformat(message["time"])
    if "deployment" in data:
        deployment = DeploymentDescription.model_validate(data["description"])
        return DeploymentHappened(kind, at, data["event"], deployment, message)
    return Happened(kind, at, data["event"], Description.model_validate(data["description"]), message)
