"""What holds of deployments and their instances, by all events of a stream in their order, whoever died when."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from uuid import UUID

from shared.deployments.deployment import Deployment
from shared.deployments.events import ReplicaAdded, ReplicaReplaced
from shared.journal.recorded import AnyRecorded, Recorded, RecordedDeployment
from shared.lifecycle.status import ENDING, FAILURES, GONE


def broken_laws(events: Sequence[AnyRecorded], most: int) -> list[str]:
    """In words. `most`: the maximum and the surge."""
    said = [*_recorded_twice(events), *_versions(events), *_added_twice(events), *_left(events)]
    paid = most_paid_for(events)
    return said if paid <= most else [*said, f"{paid} instances were paid for at once, and {most} are the most"]


def most_paid_for(events: Sequence[AnyRecorded]) -> int:
    """The most instances of deployments that were ready or on their way at the same time."""
    paid: set[UUID] = set()
    most = 0
    for recorded in events:
        if isinstance(recorded, Recorded) and recorded.instance.specification.replica is not None:
            paid.add(recorded.instance.id)
            if recorded.instance.status in ENDING:
                paid.discard(recorded.instance.id)
        most = max(most, len(paid))
    return most


def _recorded_twice(events: Sequence[AnyRecorded]) -> Iterator[str]:
    for event_id, count in Counter(recorded.id for recorded in events).items():
        if count > 1:
            yield f"event {event_id} is recorded {count} times"


def _versions(events: Sequence[AnyRecorded]) -> Iterator[str]:
    versions: defaultdict[UUID, list[int]] = defaultdict(list)
    for recorded in events:
        if isinstance(recorded, RecordedDeployment):
            versions[recorded.deployment.id].append(recorded.deployment.version)
    for deployment_id, found in versions.items():
        if found != list(range(1, len(found) + 1)):
            yield f"the versions of deployment {deployment_id} are {found}"


def _added_twice(events: Sequence[AnyRecorded]) -> Iterator[str]:
    added = Counter(
        (event.instance_id, event.ordinal, event.generation)
        for event in (recorded.event for recorded in events if isinstance(recorded, RecordedDeployment))
        if isinstance(event, ReplicaAdded | ReplicaReplaced)
    )
    for replica, count in added.items():
        if count > 1:
            yield f"replica {replica} was added {count} times"


def _left(events: Sequence[AnyRecorded]) -> Iterator[str]:
    """Of deployments, all of which are over, and of their instances."""
    for after in {recorded.after.id: recorded.after for recorded in events}.values():
        if isinstance(after, Deployment):
            over, what = after.over, f"deployment {after.id} is {after.status}, with {len(after.replicas)} replicas"
        else:
            ended = after.status in FAILURES | GONE and after.resources.released
            over, what = ended or after.specification.replica is None, f"replica {after.id} is {after.status}"
        if not over:
            yield what
