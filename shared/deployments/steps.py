"""What the scaler may do: record a conclusion, have a replica launched, have an instance ended."""

from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from shared.deployments.deployment import Replica
from shared.deployments.events import OfTheScaler


@dataclass(frozen=True)
class Conclude:
    """Everything else is concluded anew from the deployment after it."""

    event: OfTheScaler


@dataclass(frozen=True)
class LaunchReplica:
    replica: Replica


@dataclass(frozen=True)
class EndInstance:
    """Drain it, or terminate it if it does not serve."""

    instance_id: UUID


Step: TypeAlias = Conclude | LaunchReplica | EndInstance
