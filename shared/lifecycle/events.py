"""Every fact in an instance's life. Past tense, immutable, complete in itself."""

from typing import Annotated, Final, Literal, TypeAlias, get_args
from uuid import UUID, uuid5

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt, field_serializer

from shared.actor import RequestedBy
from shared.lifecycle.fact import Action, AttemptFact, Conclusion, Decided, Fact, PlainMilestone, Signal
from shared.lifecycle.transport import WorkerTls
from shared.lifecycle.wish import Findings, Specification, Wish
from shared.plain_text import PlainText

PHASES: Final = range(55, 60)
"""The percentages of SshInstallPhaseReached."""
WEIGHTS: Final = range(58, 60)
"""The percentages of WeightsProgressed in the phase in which the install waits for it."""
WEIGHTS_PHASE: Final = "weights"
MODEL_LOAD: Final = range(61, 80)
"""The percentages of ModelLoadProgressed."""

MOST_TOKENS: Final = 2**31 - 1
"""A worker that claims a longer context is not believed."""

_NAMESPACE: Final = UUID("6c8d6f0e-5a0e-5f0e-9a55-0d2f8f6f7a31")


class InstanceRequested(RequestedBy, PlainMilestone):
    milestone = 5
    label = "creating the server"
    asks_for = Action.CREATE
    specification: Wish
    findings: Findings = Findings()

    @field_serializer("specification")
    def _published(self, wish: Wish) -> Specification:
        return Specification.of(wish, self.findings)


class InstanceCreated(Fact):
    """The server exists at the provider, powered off. The first one recorded claims the instance.

    `hourly_price` is the list price in `currency` while it runs. `host_key` is the machine's own public key, if the
    provider knows one; otherwise the machine was given ours. `machine_image` is the one that it boots from; left out if
    that is the provider's plain image.
    """

    milestone = 20
    label = "growing the volume"
    asks_for = Action.RESIZE_VOLUME
    identity = ("server_id",)
    server_id: str
    zone: str
    instance_type: str
    hourly_price: Annotated[float, Field(ge=0)] | None = None
    currency: str | None = None
    host_key: str | None = None
    skipped: bool = False
    machine_image: Annotated[str | None, Field(exclude_if=lambda image: image is None)] = None


class MachineImageChosen(Fact):
    """The server is being ordered with this machine image."""

    purpose = "serve"
    identity = ("image_id",)
    image_id: str
    zone: str


class MachineImageUnusable(Fact):
    """The launch goes on without this machine image, with the next one that fits or the provider's plain image.

    `image_id`: of which the provider made no server; None: of all, since the provider did not list them.
    """

    purpose = "serve"
    identity = ("image_id",)
    image_id: str | None
    reason: PlainText


class VolumeFound(Fact):
    """A volume that belongs to a server of this instance, and has to be deleted with it.

    `scratch`: fast storage of the machine itself, where models are kept. A full stop of the server erases it.
    """

    asks_for = Action.RELEASE
    identity = ("volume_id",)
    volume_id: str
    server_id: str
    scratch: bool = False


class VolumeResized(Fact):
    milestone = 25
    label = "powering on"
    asks_for = Action.POWER_ON
    identity = ("server_id",)
    server_id: str
    volume_id: str | None = None
    size_gb: int | None = None
    skipped: bool = False


class InstanceStarted(Fact):
    """The server was powered on."""

    milestone = 30
    label = "waiting for an address"
    asks_for = Action.AWAIT_ADDRESS
    identity = ("server_id",)
    server_id: str
    skipped: bool = False


class IpAssigned(Fact):
    milestone = 40
    label = "opening the ports"
    asks_for = Action.OPEN_PORTS
    identity = ("server_id",)
    server_id: str
    ip_address: str
    address_id: str | None = None
    skipped: bool = False


class SecurityGroupFound(Fact):
    """A security group that was created for this instance, and has to be deleted when no server is in it any more.

    `server_id` is null if the group was created before its server was ordered.
    """

    asks_for = Action.RELEASE
    identity = ("security_group_id",)
    server_id: str | None = None
    security_group_id: str


class PortsOpened(Fact):
    milestone = 45
    label = "waiting for SSH"
    asks_for = Action.RELEASE
    identity = ("server_id",)
    server_id: str
    security_group_id: str | None = None
    ports: tuple[int, ...] = ()
    source_ranges: tuple[str, ...] = ()
    skipped: bool = False


class SshReachable(AttemptFact, PlainMilestone):
    """The SSH port accepts connections."""

    milestone = 50
    label = "connecting over SSH"
    asks_for = Action.INSTALL


class SshInstallStarted(AttemptFact, PlainMilestone):
    """The provisioner begins to install. `worker_tls` says how this attempt's worker will be talked to.

    Attempts that began before there was TLS have no such field: their workers speak plain HTTP.
    """

    milestone = 55
    label = "installing"
    worker_tls: WorkerTls = "off"


class SshInstallPhaseReached(AttemptFact):
    """The script printed `::phase::NAME`, the `index`-th (from 1) of the `total` it declares.

    `image`, with the phase `image_pull`: the worker's image, in the build that the machine's driver can run.
    """

    milestone = PHASES
    label = "installing"
    identity = ("install_try", "phase")
    install_try: PositiveInt
    phase: str
    index: PositiveInt
    total: PositiveInt
    image: str | None = None

    @property
    def percent(self) -> int:
        return PHASES.start + (len(PHASES) - 1) * min(self.index, self.total) // self.total


def tenths(part: int, total: int) -> int:
    """0 to 10, rounded down."""
    return 10 * min(part, total) // total


class WeightsProgressed(AttemptFact, Signal):
    """The machine has fetched so much of the model, while the install goes on; all of it once both are the totals.

    Until its checksum was found right, a file counts for less than its size.
    """

    milestone = WEIGHTS
    label = "fetching the weights"
    identity = ("install_try", "fetched_bytes")
    install_try: PositiveInt
    fetched_bytes: NonNegativeInt
    total_bytes: PositiveInt
    files: NonNegativeInt
    files_total: PositiveInt

    @property
    def tenths(self) -> int:
        """How much of it there is, 0 to 10."""
        return tenths(self.fetched_bytes, self.total_bytes)

    @property
    def percent(self) -> int:
        return WEIGHTS.start + (len(WEIGHTS) - 1) * self.tenths // 10


class HostKeyRotated(Fact):
    """The machine now answers with host key number `counter`, and no longer with an earlier one."""

    identity = ("server_id", "counter")
    server_id: str
    counter: PositiveInt


class SshInstallFailed(AttemptFact):
    """One try of the install failed. `output` holds its last lines, without secrets."""

    identity = ("install_try",)
    install_try: PositiveInt
    exit_status: int | None
    phase: str | None
    output: tuple[PlainText, ...] = ()
    reason: PlainText


class SshInstallCompleted(AttemptFact, PlainMilestone):
    milestone = 60
    label = "waiting for the worker"
    purpose = "serve"
    skipped: bool = False


class MachineSealed(AttemptFact, PlainMilestone):
    """Everything that a machine image shall have is on the boot disk, and nothing else of the machine that made it.

    `warmed`: vLLM has run the model on that machine, so what it compiles is on the disk, too; otherwise
    `not_warmed_because` says why. `commit`: of the model on the disk. None without a model.
    """

    milestone = 60
    label = "storing the machine image"
    asks_for = Action.STORE_IMAGE
    purpose = "machine_image"
    commit: str | None = None
    warmed: bool | None = None
    not_warmed_because: PlainText | None = None


class MachineImageStored(Fact):
    """The boot disk is stored, and servers can be created from it; its own machine is released.

    `vllm_image` is on it and, with a `model`, its weights of `commit`. `warmed` and `not_warmed_because` are those of
    MachineSealed. `monthly_price` is in `currency`.
    """

    milestone = 100
    label = "machine image stored"
    asks_for = Action.RELEASE
    purpose = "machine_image"
    identity = ("image_id",)
    image_id: str
    zone: str
    instance_type: str
    vllm_image: str
    model: str | None = None
    commit: str | None = None
    warmed: bool | None = None
    not_warmed_because: PlainText | None = None
    size_gb: PositiveInt
    monthly_price: Annotated[float, Field(ge=0)] | None = None
    currency: str | None = None


class MachineImageRetired(RequestedBy, Fact):
    """No launch chooses the machine image from now on. It is deleted once none needs it that has chosen it before."""

    purpose = "machine_image"
    identity = ("image_id",)
    image_id: str
    reason: PlainText


class MachineImageDeleted(Fact):
    """The provider does not have the machine image any more."""

    purpose = "machine_image"
    identity = ("image_id",)
    image_id: str
    reason: PlainText


class WorkerReachable(AttemptFact, PlainMilestone):
    """vLLM answers HTTP."""

    milestone = 70
    label = "waiting for the model"
    purpose = "serve"


class ModelLoadProgressed(AttemptFact, Signal):
    """vLLM reported how far it is; `fraction` of the whole load, 0 to 1."""

    milestone = MODEL_LOAD
    label = "loading the model"
    purpose = "serve"
    identity = ("stage", "fraction")
    stage: str
    fraction: Annotated[float, Field(ge=0, le=1)]

    @property
    def percent(self) -> int:
        return MODEL_LOAD.start + int((len(MODEL_LOAD) - 1) * self.fraction)


class ModelLoaded(AttemptFact, PlainMilestone):
    """The model's id is in the worker's `/v1/models`. `max_model_len`: its longest context in tokens, if told."""

    milestone = 80
    label = "warming up"
    purpose = "serve"
    max_model_len: Annotated[int, Field(gt=0, le=MOST_TOKENS)] | None = None


class WarmupCompleted(AttemptFact, PlainMilestone):
    """The worker gave one token, or one embedding. `vllm_version`: which vLLM it says it is, if it does."""

    milestone = 90
    label = "checking health"
    purpose = "serve"
    vllm_version: Annotated[str, Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$")] | None = None


class HealthPassed(AttemptFact, PlainMilestone):
    """First full pass of all probes."""

    milestone = 95
    label = "confirming health"
    purpose = "serve"


class InstanceReady(AttemptFact, Conclusion):
    """Enough full passes in a row."""

    milestone = 100
    label = "ready"
    purpose = "serve"


class HealthLost(AttemptFact, Signal):
    """Several probes in a row failed; `outage` numbers the outages of the attempt, from 1."""

    identity = ("outage",)
    outage: PositiveInt
    reason: PlainText


class HealthRestored(AttemptFact, Signal):
    identity = ("outage",)
    outage: PositiveInt


class ActionDelayed(Fact):
    """The `number`-th try of an action did not succeed; the next one comes at `next_try_at`."""

    identity = ("action", "attempt", "number")
    action: Action
    attempt: PositiveInt
    number: PositiveInt
    code: str
    reason: PlainText
    next_try_at: AwareDatetime


class ActionResumed(Fact):
    """What the `number`-th failed try of an action met is over, and the action goes on: nothing delays it any more."""

    identity = ("action", "attempt", "number")
    action: Action
    attempt: PositiveInt
    number: PositiveInt


class ProvisioningFailed(Signal):
    asks_for = Action.RELEASE
    action: Action
    code: str
    message: PlainText


class StartupFailed(AttemptFact, Conclusion):
    """`output` holds the worker's last lines, without secrets, if it is the worker that cannot start.

    `longest_context`: the context that would have done, in tokens, if the worker said it.
    """

    asks_for = Action.RELEASE
    code: str
    message: PlainText
    output: tuple[PlainText, ...] = ()
    longest_context: Annotated[int, Field(gt=0, le=MOST_TOKENS)] | None = None


class InstanceFailed(Conclusion):
    asks_for = Action.RELEASE
    code: str
    message: PlainText


class ServerLost(Fact):
    """The provider no longer knows the server: two gets by id, a minute apart, did not find it."""

    asks_for = Action.RELEASE
    identity = ("server_id",)
    server_id: str


class ServerStopped(Fact):
    """Somebody powered the server off at the provider.

    `scratch_erased`: the models were on its scratch storage and are gone. They are downloaded again after the start.
    """

    identity = ("server_id", "occurred_at")
    server_id: str
    scratch_erased: bool = False


class ServerRestarted(Fact):
    """Somebody powered a stopped server on again at the provider."""

    identity = ("server_id", "occurred_at")
    server_id: str


class ServerDeleted(Fact):
    """The release has deleted the instance's server, or found it gone: it costs nothing from then on."""

    identity = ("server_id",)
    server_id: str


class AddressChanged(Fact):
    identity = ("server_id", "occurred_at")
    server_id: str
    ip_address: str
    address_id: str | None = None


class LifetimeLimitReached(Signal):
    """The instance has reached its `max_lifetime`. If it serves it is drained, otherwise terminated."""

    asks_for = Action.RELEASE
    limit_seconds: PositiveInt


class IdleLimitReached(AttemptFact, Conclusion):
    """No request ran on the worker for the instance's `idle_shutdown`. It is drained."""

    limit_seconds: PositiveInt


class SpendingLimitReached(Fact):
    """The organisation has reached its spending limit for the `period`; a drain that follows is an event of its own.

    `limit` and `spent` are in `currency`: per hour, or in the calendar `month` (of UTC, such as 2026-01).
    """

    identity = ("period", "month", "limit", "currency")
    period: Literal["hour", "month"]
    month: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}$")]
    limit: Annotated[float, Field(ge=0)]
    spent: Annotated[float, Field(ge=0)]
    currency: str

    @property
    def remembered_as(self) -> str:
        """What an instance remembers of it, so that it is told once."""
        return f"{self.period} {self.month} {self.limit:g} {self.currency}"


class ReinstallRequested(Decided):
    """Opens attempt number `attempt`."""

    label = "reinstalling"
    asks_for = Action.INSTALL
    identity = ("attempt",)
    attempt: PositiveInt


class DrainRequested(Decided):
    pass


class Drained(Conclusion):
    """No request ran for longer than a router may use a stale route, or the drain's time limit passed (`forced`)."""

    asks_for = Action.RELEASE
    forced: bool = False


class TerminationRequested(Decided):
    asks_for = Action.RELEASE


class InstanceTerminated(Fact):
    """Nothing of it is left at the provider. `server_id` is the server that was seen gone, if there was one.

    `revision` is that of the resources that were looked for: a resource recorded meanwhile is not gone yet.
    """

    server_id: str | None
    revision: int | None = None


class ResourcesReleased(Fact):
    """Like InstanceTerminated, for an instance whose status is not `terminating`."""

    identity = ("occurred_at",)
    server_id: str | None
    revision: int | None = None


class InstanceArchived(Decided):
    pass


Event: TypeAlias = (
    InstanceRequested
    | MachineImageChosen
    | MachineImageUnusable
    | InstanceCreated
    | VolumeFound
    | VolumeResized
    | InstanceStarted
    | IpAssigned
    | SecurityGroupFound
    | PortsOpened
    | SshReachable
    | SshInstallStarted
    | SshInstallPhaseReached
    | WeightsProgressed
    | HostKeyRotated
    | SshInstallFailed
    | SshInstallCompleted
    | MachineSealed
    | MachineImageStored
    | MachineImageRetired
    | MachineImageDeleted
    | WorkerReachable
    | ModelLoadProgressed
    | ModelLoaded
    | WarmupCompleted
    | HealthPassed
    | InstanceReady
    | HealthLost
    | HealthRestored
    | ActionDelayed
    | ActionResumed
    | ProvisioningFailed
    | StartupFailed
    | InstanceFailed
    | ServerLost
    | ServerStopped
    | ServerRestarted
    | ServerDeleted
    | AddressChanged
    | IdleLimitReached
    | LifetimeLimitReached
    | SpendingLimitReached
    | ReinstallRequested
    | DrainRequested
    | Drained
    | TerminationRequested
    | InstanceTerminated
    | ResourcesReleased
    | InstanceArchived
)

EVENTS: Final[dict[str, type[Event]]] = {event.__name__: event for event in get_args(Event)}
"""Every event type by its name, in the order of a life."""

Failing: TypeAlias = ProvisioningFailed | StartupFailed | InstanceFailed | ServerLost
"""Facts that can end an instance in a failure."""


def event_id(event: Event) -> UUID:
    """The same for everyone who saw the same fact: UUIDv5 of instance, type, attempt (if bound to one) and identity."""
    fields = ("attempt", *event.identity) if isinstance(event, AttemptFact) else event.identity
    parts = [str(event.instance_id), event.type(), *(str(getattr(event, field)) for field in fields)]
    return uuid5(_NAMESPACE, "/".join(parts))
