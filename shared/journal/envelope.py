"""The CloudEvents 1.0 body of every event: `data` holds the fact and the instance or deployment after it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from shared.deployments.deployment import Deployment
from shared.deployments.events import DEPLOYMENT_EVENTS, DeploymentFact
from shared.journal.recorded import (
    AnyRecorded,
    Origin,
    Recorded,
    RecordedDeployment,
    RecordedOf,
    UnknownDeploymentEvent,
    UnknownEvent,
    UnknownOf,
    Unread,
)
from shared.journal.vocabulary import VOCABULARIES, merged, unread
from shared.lifecycle.events import EVENTS
from shared.lifecycle.fact import Fact
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


class WrittenByNewer(Undecodable):
    """A newer version has recorded this. It is neither wrong nor lost: that version reads it."""


class _Data(BaseModel):
    event: dict[str, Any]
    instance: Instance | None = None
    deployment: Deployment | None = None


class _Current(BaseModel):
    """The body of this schema version. Validated straight from the bytes, it takes half the time."""

    id: UUID
    type: str
    dataschema: str
    vocabulary: str | None = None
    actor: str
    causationid: UUID | None = None
    traceparent: str | None = None
    data: _Data


_KnownT_co = TypeVar("_KnownT_co", bound=RecordedOf[Any, Any], covariant=True)
_UnknownT_co = TypeVar("_UnknownT_co", bound=UnknownOf[Any], covariant=True)


@dataclass(frozen=True, eq=False)
class EventKind(Generic[_KnownT_co, _UnknownT_co]):
    """What an event is of. `state` is the model of its snapshot, `known` and `unknown` how an event of it is read."""

    state: type[Instance] | type[Deployment]
    fact: type[Fact] | type[DeploymentFact]
    events: Mapping[str, type[Fact] | type[DeploymentFact]]
    known: type[_KnownT_co]
    unknown: type[_UnknownT_co]

    @property
    def name(self) -> str:
        """The name of its snapshot in `data`."""
        return self.state.__name__.lower()

    @property
    def vocabulary(self) -> str:
        return VOCABULARIES[self.state]

    def decode(self, data: bytes, sequence: int, recorded_at: datetime) -> _KnownT_co:
        """Raises Undecodable; WrittenByNewer also for an event whose name this version does not know."""
        found = self.decode_any(data, sequence, recorded_at)
        if isinstance(found, self.known):
            return found
        raise WrittenByNewer(f"this version knows no {found.type}")

    def decode_any(self, data: bytes, sequence: int, recorded_at: datetime) -> _KnownT_co | _UnknownT_co:
        """Raises Undecodable, WrittenByNewer."""
        found = decode_any(data, sequence, recorded_at)
        if isinstance(found, self.known | self.unknown):
            return found
        raise Undecodable(f"{found.type} is no event of the kind {self.name}")

    def read(self, body: _Current, data: bytes, sequence: int, recorded_at: datetime) -> _KnownT_co | _UnknownT_co:
        """Raises whatever an unexpected body makes a step of it raise."""
        after, origin = getattr(body.data, self.name), Origin(body.actor, body.causationid, body.traceparent)
        if body.vocabulary in (None, self.vocabulary):
            event = self.events[body.type].model_validate(body.data.event)
            return self.known(body.id, event, after, origin, sequence, recorded_at)
        raw = _upcast(from_json(data))["data"]  # of a version that knows other events or fields
        known, fact, snapshot = self.events.get(body.type), raw["event"], raw[self.name]
        rest = Unread(
            str(body.vocabulary),
            event=unread(fact, known) if known else fact,
            snapshot=unread(snapshot, self.state),
        )
        if known is None:
            at = self.fact.model_validate(fact).occurred_at
            return self.unknown(body.id, body.type, at, after, origin, sequence, recorded_at, rest)
        kept = rest if rest.event or rest.snapshot else None
        return self.known(body.id, known.model_validate(fact), after, origin, sequence, recorded_at, kept)


INSTANCES: Final = EventKind(Instance, Fact, EVENTS, Recorded, UnknownEvent)
DEPLOYMENTS: Final = EventKind(
    Deployment, DeploymentFact, DEPLOYMENT_EVENTS, RecordedDeployment, UnknownDeploymentEvent
)


def dataschema(event: str) -> str:
    """Names the schema of an event's `data`, in this version (CloudEvents 1.0, `dataschema`)."""
    return f"urn:coldstart:event:{event}:{SCHEMA_VERSION}"


def encode(
    event_id: UUID,
    event: Fact | DeploymentFact,
    after: Instance | Deployment,
    origin: Origin,
    source: str,
    *,
    carried: Unread | None = None,
) -> bytes:
    """`carried`: what the event before has of the snapshot that this version does not know. It stays."""
    snapshot = after.model_dump(mode="json")
    kind = INSTANCES if isinstance(after, Instance) else DEPLOYMENTS
    body = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": source,
        "type": event.type(),
        "subject": str(after.id),
        "time": event.occurred_at.isoformat(),
        "datacontenttype": "application/json",
        "dataschema": dataschema(event.type()),
        "vocabulary": carried.vocabulary if carried and carried.snapshot else kind.vocabulary,
        "actor": origin.actor,
        "causationid": str(origin.causation_id) if origin.causation_id else None,
        "traceparent": origin.traceparent,
        "data": {
            "event": event.model_dump(mode="json"),
            kind.name: merged(snapshot, carried.snapshot) if carried else snapshot,
        },
    }
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def decode(data: bytes, sequence: int, recorded_at: datetime) -> Recorded:
    """An instance's. Raises Undecodable; WrittenByNewer also for an event whose name this version does not know."""
    return INSTANCES.decode(data, sequence, recorded_at)


def decode_any(data: bytes, sequence: int, recorded_at: datetime) -> AnyRecorded:
    """Raises Undecodable, WrittenByNewer."""
    try:
        body = _current(data)
        return _kind_of(body.data).read(body, data, sequence, recorded_at)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError) as error:
        raise _why(data, error) from error


def _kind_of(data: _Data) -> EventKind[Recorded, UnknownEvent] | EventKind[RecordedDeployment, UnknownDeploymentEvent]:
    """Raises ValueError."""
    if data.instance is not None:
        return INSTANCES
    if data.deployment is not None:
        return DEPLOYMENTS
    raise ValueError("it is neither of an instance nor of a deployment")


def _current(data: bytes) -> _Current:
    """Raises whatever an unexpected body makes a step of it raise."""
    try:
        body = _Current.model_validate_json(data)
    except ValidationError:  # most likely an older body, or else it fails below with the better reason
        return _Current.model_validate(_upcast(from_json(data)))
    return body if _version(body.dataschema) == SCHEMA_VERSION else _Current.model_validate(_upcast(from_json(data)))


def _upcast(body: dict[str, Any]) -> dict[str, Any]:
    version = _version(body["dataschema"])
    if version > SCHEMA_VERSION:
        raise ValueError(f"its schema version is {version}, and this version reads up to {SCHEMA_VERSION}")
    for step in range(version, SCHEMA_VERSION):
        body = UPCASTS[step](body)
    return body


def _version(dataschema: str) -> int:
    return int(dataschema.rpartition(":")[2])


def _why(data: bytes, error: Exception) -> Undecodable:
    """An event of ours that says whose words it uses is right, although this version cannot read it."""
    reason = f"{type(error).__name__}: {error}"
    try:
        body = from_json(data)
        newer = _version(body["dataschema"]) > SCHEMA_VERSION or body.get("vocabulary") not in (
            None,
            *VOCABULARIES.values(),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return Undecodable(reason)
    return WrittenByNewer(reason) if newer else Undecodable(reason)
