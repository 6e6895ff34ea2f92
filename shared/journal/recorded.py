"""What is read from the stream: an event of an instance or of a deployment, with what it made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeAlias, TypeVar
from uuid import UUID

from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentEvent, DeploymentFact
from shared.journal.vocabulary import merged
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Fact
from shared.lifecycle.instance import Instance

_EVERY_FACT_S: Final[Mapping[type[Instance | Deployment], set[str]]] = {
    Instance: {*Fact.model_fields},
    Deployment: {*DeploymentFact.model_fields},
}
EventT = TypeVar("EventT", bound=Fact | DeploymentFact)
StateT = TypeVar("StateT", bound=Instance | Deployment)


def every_fact_s(after: Instance | Deployment) -> set[str]:
    """The fields of each event of such: of which one it is, and when it happened."""
    return _EVERY_FACT_S[type(after)]


@dataclass(frozen=True)
class Origin:
    """Which service recorded an event, and which event caused it. `traceparent` as in W3C Trace Context."""

    actor: str
    causation_id: UUID | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class Unread:
    """What of an event this version does not know, at its places, and whose `vocabulary` that is."""

    vocabulary: str
    event: Mapping[str, Any]
    snapshot: Mapping[str, Any]


@dataclass(frozen=True)
class RecordedOf(Generic[EventT, StateT]):
    """An event as the journal holds it, and its instance or deployment `after` it.

    `sequence` is its global position, `recorded_at` the stream's own clock.
    """

    id: UUID
    event: EventT
    after: StateT
    origin: Origin
    sequence: int
    recorded_at: datetime
    unread: Unread | None = None

    @property
    def type(self) -> str:
        return self.event.type()

    @property
    def occurred_at(self) -> datetime:
        return self.event.occurred_at

    def content(self) -> dict[str, Any]:
        """What the fact says, as JSON has it, what this version does not know included."""
        known = self.event.model_dump(mode="json", exclude=every_fact_s(self.after))
        return merged(known, self.unread.event) if self.unread else known

    def snapshot(self) -> dict[str, Any]:
        """What is after it, as JSON has it, what this version does not know included."""
        known = self.after.model_dump(mode="json")
        return merged(known, self.unread.snapshot) if self.unread else known


@dataclass(frozen=True)
class UnknownOf(Generic[StateT]):
    """An event of a name that this version does not know. It reads what is after it all the same."""

    id: UUID
    type: str
    occurred_at: datetime
    after: StateT
    origin: Origin
    sequence: int
    recorded_at: datetime
    unread: Unread

    def content(self) -> dict[str, Any]:
        return {name: value for name, value in self.unread.event.items() if name not in every_fact_s(self.after)}

    def snapshot(self) -> dict[str, Any]:
        return merged(self.after.model_dump(mode="json"), self.unread.snapshot)


class Recorded(RecordedOf[Event, Instance]):
    """Of an instance."""

    @property
    def instance(self) -> Instance:
        return self.after


class UnknownEvent(UnknownOf[Instance]):
    """Of an instance."""

    @property
    def instance(self) -> Instance:
        return self.after


class RecordedDeployment(RecordedOf[DeploymentEvent, Deployment]):
    """Of a deployment."""

    @property
    def deployment(self) -> Deployment:
        return self.after


class UnknownDeploymentEvent(UnknownOf[Deployment]):
    """Of a deployment."""

    @property
    def deployment(self) -> Deployment:
        return self.after


AnyOfInstance: TypeAlias = Recorded | UnknownEvent
AnyOfDeployment: TypeAlias = RecordedDeployment | UnknownDeploymentEvent
AnyRecorded: TypeAlias = AnyOfInstance | AnyOfDeployment
"""Whoever reads every event says what it does with each of the two."""
