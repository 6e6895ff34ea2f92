"""Every stream and durable consumer: declared only here, applied at start-up like migrations."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    RePublish,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    SubjectTransform,
)
from nats.js.errors import BadRequestError

from shared.bus.agreed import check_agreed, metadata, topology_is_newer
from shared.bus.installation import INSTALLATION, StreamIdentity, identity_to_apply
from shared.deployments.events import DeploymentCreated, DeploymentEvent
from shared.journal.envelope import DEPLOYMENTS, INSTANCES, EventKind
from shared.journal.recorded import RecordedOf, UnknownOf
from shared.journal.streams import EVERY_EVENT, LIFECYCLE
from shared.lifecycle.events import Event, InstanceRequested, IpAssigned, ReinstallRequested
from shared.lifecycle.plan import INSTALLING, LAUNCHING, RELEASING
from shared.running import StartRefused

DEAD_LETTERS: Final = "DEAD_LETTERS"
REPLAYS: Final = "REPLAYS"
DUPLICATE_WINDOW_S: Final = 120.0
MAX_HELD: Final = 100_000
"""Above any number of instances: JetStream's default of 1,000 would never deliver the 1,001st held message."""

_KnownT_co = TypeVar("_KnownT_co", bound=RecordedOf[Any, Any], covariant=True)


@dataclass(frozen=True)
class Trigger(Generic[_KnownT_co]):
    """A durable consumer whose messages are held as leases while the work that they ask for is done.

    `kind` is what its events are of. `fails`: an instance whose message cannot be read fails.
    """

    kind: EventKind[_KnownT_co, UnknownOf[Any]]
    durable: str
    events: tuple[type[Event] | type[DeploymentEvent], ...]
    fails: bool = True

    @property
    def subjects(self) -> list[str]:
        return [f"lifecycle.*.{event.__name__}" for event in self.events]

    @property
    def replays(self) -> str:
        """The durable consumer of its replayed messages."""
        return f"{self.durable}-replays"


LAUNCH: Final = Trigger(INSTANCES, "provisioner-launching", tuple(LAUNCHING))
INSTALL: Final = Trigger(INSTANCES, "provisioner-installing", tuple(INSTALLING))
RELEASE: Final = Trigger(INSTANCES, "provisioner-releasing", RELEASING)
WATCH: Final = Trigger(INSTANCES, "health-watching", (IpAssigned, ReinstallRequested))
SCALE: Final = Trigger(DEPLOYMENTS, "scaler-scaling", (DeploymentCreated,), fails=False)
REPLICAS: Final = Trigger(INSTANCES, "scaler-replicas", (InstanceRequested,), fails=False)
"""It ends what was launched for a deployment that does not want it any more."""
OF_INSTANCES: Final = (LAUNCH, INSTALL, RELEASE, WATCH)
"""What an instance's life depends on."""
TRIGGERS: Final = (*OF_INSTANCES, SCALE, REPLICAS)


def replay_subject(consumer: str) -> str:
    """The subject for replaying a dead letter of this consumer."""
    return f"replays.{consumer}"


def streams(replicas: int, installation: UUID) -> Iterator[StreamConfig]:
    """LIFECYCLE comes first. Fields left out have the server's defaults: no limit that could drop an event."""
    yield StreamConfig(
        name=LIFECYCLE,
        description="Every event of every instance and deployment, with the instance or deployment after it",
        subjects=["journal.*.*"],
        subject_transform=SubjectTransform(src="journal.*.*", dest="lifecycle.{{wildcard(1)}}.{{wildcard(2)}}"),
        republish=RePublish(src=EVERY_EVENT, dest=EVERY_EVENT),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        num_replicas=replicas,
        duplicate_window=DUPLICATE_WINDOW_S,
        allow_direct=True,
        deny_delete=True,  # the server refuses every update that lifts this
        metadata={INSTALLATION: str(installation)},
    )
    yield StreamConfig(
        name=DEAD_LETTERS,
        description="Messages that could not be understood or handled, with the reason and where they came from",
        subjects=["dead_letters.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        num_replicas=replicas,
        duplicate_window=DUPLICATE_WINDOW_S,
        allow_direct=True,
        deny_purge=True,  # a replayed letter is deleted
    )
    yield StreamConfig(
        name=REPLAYS,
        description="Dead letters that are to be handled again; each goes when it has been",
        subjects=[replay_subject("*")],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        num_replicas=replicas,
        duplicate_window=DUPLICATE_WINDOW_S,
        deny_delete=True,
        deny_purge=True,
    )


def applicable(declared: StreamConfig, found: StreamConfig) -> StreamConfig:
    """What may be made of an existing stream: a denial of purges, as earlier versions declared, is never lifted."""
    return declared.evolve(deny_purge=bool(declared.deny_purge or found.deny_purge))


def consumers(replicas: int, ack_wait_s: float) -> Iterator[tuple[str, ConsumerConfig]]:
    """Each consumer with its stream."""
    for trigger in TRIGGERS:
        for stream, durable, subjects in (
            (LIFECYCLE, trigger.durable, trigger.subjects),
            (REPLAYS, trigger.replays, [replay_subject(trigger.durable)]),
        ):
            yield (
                stream,
                ConsumerConfig(
                    name=durable,
                    durable_name=durable,
                    deliver_policy=DeliverPolicy.ALL,
                    ack_policy=AckPolicy.EXPLICIT,
                    ack_wait=ack_wait_s,
                    max_deliver=-1,
                    max_ack_pending=MAX_HELD,
                    filter_subjects=subjects,
                    num_replicas=replicas,
                ),
            )


class ReplicasDiffer(StartRefused):
    """Otherwise the last service that starts would set the number for all, and reduce a cluster's replicas."""

    def __init__(self, found: int, wanted: int) -> None:
        super().__init__(
            f"the stream {LIFECYCLE} has {found} replicas, and COLDSTART_STREAM_REPLICAS is {wanted}: set it to "
            f"{found} for every service, or change the stream (nats stream edit {LIFECYCLE} --replicas {wanted})"
        )


async def apply_topology(
    jetstream: JetStreamContext,
    *,
    replicas: int,
    ack_wait_s: float,
    former_ack_wait_s: float | None = None,
    installation: UUID | None = None,
) -> UUID:
    """Create or update all streams and consumers; safe to run by many services at once.

    `ack_wait_s` is that of every service. A stream with another one is refused, unless that is `former_ack_wait_s`.
    Returns the installation's UUID: `installation`, or one made by the first service; it never changes. Raises
    AnotherInstallation, InstallationLost, ReplicasDiffer, LeaseDiffers, OlderThanStream. Streams and consumers that a
    newer version has declared stay as they are.
    """
    identity = await applied_topology(
        jetstream,
        replicas=replicas,
        ack_wait_s=ack_wait_s,
        former_ack_wait_s=former_ack_wait_s,
        installation=installation,
    )
    return identity.installation


async def applied_topology(
    jetstream: JetStreamContext,
    *,
    replicas: int,
    ack_wait_s: float,
    former_ack_wait_s: float | None = None,
    installation: UUID | None = None,
) -> StreamIdentity:
    """Like `apply_topology`, but returns the stream's identity."""
    its = await identity_to_apply(jetstream, installation)
    for config in streams(replicas, its):
        if config.name == LIFECYCLE:
            config.metadata = metadata(its, ack_wait_s)
        try:
            await jetstream.add_stream(config)
        except BadRequestError:  # it exists with another configuration, or another service created it a moment ago
            found = (await jetstream.stream_info(str(config.name))).config
            if config.name == LIFECYCLE:
                its = await identity_to_apply(jetstream, installation)
                if found.num_replicas != replicas:
                    raise ReplicasDiffer(found.num_replicas or 1, replicas) from None
                check_agreed(found, ack_wait_s, former_ack_wait_s)
                if topology_is_newer(found):
                    break
                config.metadata = metadata(its, ack_wait_s, found)
            await jetstream.update_stream(applicable(config, found))
    else:
        for stream, consumer in consumers(replicas, ack_wait_s):
            await jetstream.add_consumer(stream, consumer)
    return StreamIdentity(its, (await jetstream.stream_info(LIFECYCLE)).created)
