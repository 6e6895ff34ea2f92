"""Every fact in an instance's life. Past tense, immutable, complete in itself.

`identity` names the fields that distinguish facts of the same type and instance: if two services see the same
thing, they make the same fact, and the journal keeps it once.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal, TypeAlias, get_args
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PositiveInt

from shared.plain_text import Told

_NAMESPACE: Final = UUID("6c8d6f0e-5a0e-5f0e-9a55-0d2f8f6f7a31")


class Action(StrEnum):
    """What the provisioner does to the world."""

    CREATE = "create"
    RESIZE_VOLUME = "resize_volume"
    POWER_ON = "power_on"
    AWAIT_ADDRESS = "await_address"
    OPEN_PORTS = "open_ports"
    INSTALL = "install"
    RELEASE = "release"


Task: TypeAlias = Literal["generate", "embed"]


class Specification(BaseModel):
    """What was asked for. Never changes after the request.

    `zones` and `instance_types` are in order of preference; empty means any: zones in the provider's order, types the
    cheapest first. `volume_gb` is the size of the boot volume in 10⁹ bytes. `max_lifetime` and `idle_shutdown` are in
    seconds, from the request and from the last request that the worker served. `gpu_memory_gb` is what the model's
    weights need of all GPUs together at least, in 10⁹ bytes, as far as was known then. `max_hourly_price` is what a
    server of any type may cost at list price: what was left of the organisation's spending by the hour. `gated`: the
    hub gives the model's files only to who accepted its licence; None in what was recorded before anybody kept that.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    model: str
    task: Task = "generate"
    gated: Annotated[bool | None, Field(exclude_if=lambda gated: gated is None)] = None
    organization_id: UUID | None = None
    provider: str = "scaleway"
    zones: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    volume_gb: PositiveInt = 200
    image: str | None = None
    revision: str | None = None
    vllm_args: tuple[str, ...] = ()
    gpu_memory_gb: Annotated[float, Field(gt=0)] | None = None
    max_hourly_price: Annotated[float, Field(ge=0)] | None = None
    keep_for_inspection: bool = False
    max_lifetime: PositiveInt | None = None
    idle_shutdown: PositiveInt | None = None


class Fact(BaseModel):
    """One thing that happened to one instance, at `occurred_at` by the clock of whoever saw it."""

    model_config = ConfigDict(frozen=True)
    identity: ClassVar[tuple[str, ...]] = ()

    instance_id: UUID
    occurred_at: AwareDatetime

    @classmethod
    def type(cls) -> str:
        return cls.__name__


class AttemptFact(Fact):
    """A fact of one attempt to make the instance ready. If it is not the current attempt, nothing changes."""

    attempt: PositiveInt


class InstanceRequested(Fact):
    specification: Specification


class InstanceCreated(Fact):
    """The server exists at the provider, powered off. The first one recorded claims the instance.

    `hourly_price` is the list price in `currency` while it runs. `host_key` is the machine's own public key, if the
    provider knows one; otherwise the machine was given ours.
    """

    identity = ("server_id",)
    server_id: str
    zone: str
    instance_type: str
    hourly_price: Annotated[float, Field(ge=0)] | None = None
    currency: str | None = None
    host_key: str | None = None
    skipped: bool = False


class VolumeFound(Fact):
    """A volume that belongs to a server of this instance, and has to be deleted with it."""

    identity = ("volume_id",)
    volume_id: str
    server_id: str


class VolumeResized(Fact):
    identity = ("server_id",)
    server_id: str
    volume_id: str | None = None
    size_gb: int | None = None
    skipped: bool = False


class InstanceStarted(Fact):
    """The server was powered on."""

    identity = ("server_id",)
    server_id: str
    skipped: bool = False


class IpAssigned(Fact):
    identity = ("server_id",)
    server_id: str
    ip_address: str
    address_id: str | None = None
    skipped: bool = False


class SecurityGroupFound(Fact):
    """A security group that was created for this instance, and has to be deleted when no server is in it any more.

    `server_id` is null if the group was created before its server was ordered.
    """

    identity = ("security_group_id",)
    server_id: str | None = None
    security_group_id: str


class PortsOpened(Fact):
    identity = ("server_id",)
    server_id: str
    security_group_id: str | None = None
    ports: tuple[int, ...] = ()
    source_ranges: tuple[str, ...] = ()
    skipped: bool = False


class SshReachable(AttemptFact):
    """The SSH port accepts connections."""


class SshInstallStarted(AttemptFact):
    pass


class SshInstallPhaseReached(AttemptFact):
    """The script printed `::phase::NAME`, the `index`-th (from 1) of the `total` it declares."""

    identity = ("install_try", "phase")
    install_try: PositiveInt
    phase: str
    index: PositiveInt
    total: PositiveInt


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
    output: tuple[Told, ...] = ()
    reason: Told


class SshInstallCompleted(AttemptFact):
    skipped: bool = False


class WorkerReachable(AttemptFact):
    """vLLM answers HTTP."""


class ModelLoadProgressed(AttemptFact):
    """vLLM reported how far it is; `fraction` of the whole load, 0 to 1."""

    identity = ("stage", "fraction")
    stage: str
    fraction: Annotated[float, Field(ge=0, le=1)]


class ModelLoaded(AttemptFact):
    """The model's id is in the worker's `/v1/models`."""


class WarmupCompleted(AttemptFact):
    """The worker gave one token, or one embedding."""


class HealthPassed(AttemptFact):
    """First full pass of all probes."""


class InstanceReady(AttemptFact):
    """Enough full passes in a row."""


class HealthLost(AttemptFact):
    """Several probes in a row failed; `outage` numbers the outages of the attempt, from 1."""

    identity = ("outage",)
    outage: PositiveInt
    reason: Told


class HealthRestored(AttemptFact):
    identity = ("outage",)
    outage: PositiveInt


class ActionDelayed(Fact):
    """The `number`-th try of an action did not succeed; the next one comes at `next_try_at`."""

    identity = ("action", "attempt", "number")
    action: Action
    attempt: PositiveInt
    number: PositiveInt
    code: str
    reason: Told
    next_try_at: AwareDatetime


class ProvisioningFailed(Fact):
    action: Action
    code: str
    message: Told


class StartupFailed(AttemptFact):
    code: str
    message: Told


class InstanceFailed(Fact):
    code: str
    message: Told


class ServerLost(Fact):
    """The provider no longer knows the server: two gets by id, a minute apart, did not find it."""

    identity = ("server_id",)
    server_id: str


class ServerStopped(Fact):
    """Somebody powered the server off at the provider."""

    identity = ("server_id", "occurred_at")
    server_id: str


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


class LifetimeLimitReached(Fact):
    """The instance has reached its `max_lifetime`. If it serves it is drained, otherwise terminated."""

    limit_seconds: PositiveInt


class IdleLimitReached(AttemptFact):
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
    def told(self) -> str:
        """What an instance remembers of it, so that it is told once."""
        return f"{self.period} {self.month} {self.limit:g} {self.currency}"


class ReinstallRequested(Fact):
    """Opens attempt number `attempt`."""

    identity = ("attempt",)
    attempt: PositiveInt


class DrainRequested(Fact):
    pass


class Drained(Fact):
    """No request ran for longer than a router may use a stale route, or the drain's time limit passed (`forced`)."""

    forced: bool = False


class TerminationRequested(Fact):
    pass


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


class InstanceArchived(Fact):
    pass


Event: TypeAlias = (
    InstanceRequested
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
    | HostKeyRotated
    | SshInstallFailed
    | SshInstallCompleted
    | WorkerReachable
    | ModelLoadProgressed
    | ModelLoaded
    | WarmupCompleted
    | HealthPassed
    | InstanceReady
    | HealthLost
    | HealthRestored
    | ActionDelayed
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

INTENTS: Final = (ReinstallRequested, DrainRequested, TerminationRequested, InstanceArchived)
"""Only `decide` makes these. Each call is its own event, so its id is the caller's."""


def event_id(event: Event) -> UUID:
    """The same for everyone who saw the same fact: UUIDv5 of instance, type, attempt (if bound to one) and identity."""
    fields = ("attempt", *event.identity) if isinstance(event, AttemptFact) else event.identity
    parts = [str(event.instance_id), event.type(), *(str(getattr(event, field)) for field in fields)]
    return uuid5(_NAMESPACE, "/".join(parts))
