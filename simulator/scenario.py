"""A simulated cloud's behaviour: delays in seconds, and failures that a test can request."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulator.rates import Rates

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Call(StrEnum):
    """The API's operations by name. `server_action` covers the three actions after it, `any` covers all calls."""

    ANY = "any"
    CREATE_SERVER = "create_server"
    GET_SERVER = "get_server"
    LIST_SERVERS = "list_servers"
    UPDATE_SERVER = "update_server"
    DELETE_SERVER = "delete_server"
    SERVER_ACTION = "server_action"
    POWERON = "poweron"
    POWEROFF = "poweroff"
    TERMINATE = "terminate"
    LIST_USER_DATA = "list_user_data"
    GET_USER_DATA = "get_user_data"
    SET_USER_DATA = "set_user_data"
    DELETE_USER_DATA = "delete_user_data"
    CREATE_SECURITY_GROUP = "create_security_group"
    GET_SECURITY_GROUP = "get_security_group"
    LIST_SECURITY_GROUPS = "list_security_groups"
    UPDATE_SECURITY_GROUP = "update_security_group"
    DELETE_SECURITY_GROUP = "delete_security_group"
    LIST_SECURITY_GROUP_RULES = "list_security_group_rules"
    CREATE_SECURITY_GROUP_RULE = "create_security_group_rule"
    GET_SECURITY_GROUP_RULE = "get_security_group_rule"
    SET_SECURITY_GROUP_RULES = "set_security_group_rules"
    DELETE_SECURITY_GROUP_RULE = "delete_security_group_rule"
    CREATE_IP = "create_ip"
    GET_IP = "get_ip"
    LIST_IPS = "list_ips"
    UPDATE_IP = "update_ip"
    DELETE_IP = "delete_ip"
    GET_LOCAL_VOLUME = "get_local_volume"
    LIST_LOCAL_VOLUMES = "list_local_volumes"
    DELETE_LOCAL_VOLUME = "delete_local_volume"
    GET_VOLUME = "get_volume"
    LIST_VOLUMES = "list_volumes"
    UPDATE_VOLUME = "update_volume"
    DELETE_VOLUME = "delete_volume"
    CREATE_SNAPSHOT = "create_snapshot"
    GET_SNAPSHOT = "get_snapshot"
    LIST_SNAPSHOTS = "list_snapshots"
    UPDATE_SNAPSHOT = "update_snapshot"
    DELETE_SNAPSHOT = "delete_snapshot"
    LIST_SERVER_TYPES = "list_server_types"
    LIST_AVAILABILITY = "list_availability"
    LIST_LOCAL_IMAGES = "list_local_images"
    GET_IMAGE = "get_image"
    CREATE_IMAGE = "create_image"
    LIST_IMAGES = "list_images"
    DELETE_IMAGE = "delete_image"
    LIST_PRODUCTS = "list_products"
    GET_PROJECT = "get_project"
    LIST_QUOTA = "list_quota"


class Error(StrEnum):
    """How a call fails: the first group with an error of Scaleway's, the second without an answer."""

    OUT_OF_STOCK = "out_of_stock"
    QUOTAS_EXCEEDED = "quotas_exceeded"
    TRANSIENT_STATE = "transient_state"
    TOO_MANY_REQUESTS = "too_many_requests"
    PERMISSIONS_DENIED = "permissions_denied"
    DENIED_AUTHENTICATION = "denied_authentication"
    INVALID_ARGUMENTS = "invalid_arguments"
    NOT_FOUND = "not_found"
    INTERNAL = "internal"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    INTERNAL_AFTER = "internal_after"

    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"


class HubError(StrEnum):
    """How the model hub fails; with `timeout` it never answers."""

    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL = "internal"
    TIMEOUT = "timeout"


class FileError(StrEnum):
    """How a machine fails to fetch a model's file. The first two are the hub's answers.

    `dropped` and `stalled` come after some megabytes more. A `wrong` file has the right size, and another content.
    """

    TOO_MANY_REQUESTS = "too_many_requests"
    UNAVAILABLE = "unavailable"
    DROPPED = "dropped"
    STALLED = "stalled"
    WRONG = "wrong"


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Failure(Frozen):
    """Calls that fail: the first `times` that match (None: all), each with this probability."""

    call: Call
    error: Error
    zone: str | None = None
    """Only in this zone; None: anywhere."""
    instance_type: str | None = None
    """Only for servers of this commercial type; None: any."""
    times: Annotated[int, Field(ge=1)] | None = 1
    probability: Probability = 1.0
    argument: str = "commercial_type"
    """What an `invalid_arguments` calls unknown: `image` for a deleted image, `zone` for an invalid zone."""
    quota: Annotated[int, Field(ge=0)] = 1
    """The quota that a `quotas_exceeded` names; 0 is what an organisation has before its identity is verified."""


class FileFailure(Frozen):
    """The first `times` fetches fail, of each file whose path ends like this."""

    error: FileError
    times: Annotated[int, Field(ge=1)] | None = 1
    """None: all."""
    path: str = ""
    megabytes: Annotated[float, Field(ge=0)] = 100.0
    """How much more has come when the connection is `dropped` or `stalled`."""


class Scenario(Frozen):
    """Delays (seconds) and failures of the servers that run under it."""

    create: Seconds = 0.05
    """The create call takes this long to answer."""
    boot_volume: Seconds = 0.0
    """The boot volume exists this long after the create call's answer; 0: the answer shows it."""
    tag_visible: Seconds = 0.3
    """Lists of servers, security groups, snapshots and images know the tags so long after the call that sets them."""
    poweron: Seconds = 0.3
    """From the accepted action to the state `running`, which starts the host."""
    address: Seconds = 0.0
    """From the accepted power-on to the public address; longer than `poweron` means running without one."""
    ssh_up: Seconds = 0.2
    """From `running` to the SSH server listening. The host waits this long in `start()`."""
    poweroff: Seconds = 0.2
    """From the accepted action to the state `stopped`."""
    delete: Seconds = 0.05
    """The delete call takes this long to answer."""
    detach: Seconds = 0.1
    """A block volume is in use so long after its server was deleted, and a snapshot after its image was."""
    volume_update: Seconds = 0.05
    """A block volume is `updating`, at its old size, this long after it was told to grow."""
    snapshot_create: Seconds = 0.1
    """A snapshot is `creating` this long after the create call's answer."""
    image_create: Seconds = 0.0
    """An image is `creating` this long after the create call's answer; 0: the answer shows it as `available`."""
    packages_locked: Seconds = 0.0
    """From the host's SSH on, another program holds the locks of apt and dpkg for so long."""
    skips_sleep: bool = False
    """A `sleep` on the host ends at once, and for the locks its time has passed."""
    image_pull: Seconds = 0.2
    """The host's `docker pull` of an image that it does not have."""
    worker_start: Seconds = 0.1
    """From `docker run` to the worker's first log line."""
    model_load: Seconds = 0.4
    """From the worker's first log line to its port answering."""

    rates: Rates | None = None
    """How fast a real machine is: they decide instead of `ssh_up`, `image_pull`, `worker_start` and `model_load`."""

    token: Seconds = 0.002
    """From one token of an answer to the next."""

    driver: str = "580.65.06"
    """The version of NVIDIA's driver, as the host's nvidia-smi prints it."""

    boot_volume_despite_deletion: bool = False
    """If a server is deleted before its boot volume exists, the volume is still created, without a server."""
    snapshot_fails: bool = False
    """A snapshot ends in the state `error` instead of `available`."""
    image_fails: bool = False
    """An image ends in the state `error` instead of `available`."""
    snapshot_quota: Annotated[int, Field(ge=0)] | None = None
    """How many snapshots there may be in each zone; None: any number."""
    out_of_stock_leaves_volume: bool = False
    """A creation that is refused as out of stock leaves its volumes: untagged, attached to nothing."""

    hang: Seconds = 1.0
    """How long a call that is never answered keeps its caller waiting before the connection is dropped."""
    hub_error: HubError | None = None
    """How every call to the model hub fails, in the default scenario."""
    retry_after: Seconds | None = None
    """The Retry-After of a `too_many_requests`, rounded up to whole seconds; None: it has none."""
    retry_after_is_a_date: bool = False
    """Retry-After is a date, as HTTP allows, instead of seconds."""
    seed: int = 0
    """Decides the failures that have a probability."""
    failures: tuple[Failure, ...] = ()
    random_failures: Probability = 0.0
    """Every other call fails with this probability, with any of `random_errors`."""
    random_errors: Annotated[tuple[Error, ...], Field(min_length=1)] = tuple(Error)
    quotas: Mapping[str, Annotated[int, Field(ge=0)]] = {}
    """How many servers of these types there may be in each zone; 0 is what an unverified organisation has."""
    scarce: tuple[str, ...] = ()
    """Types that the availability list calls `scarce`; they can be created all the same."""
    unlisted: tuple[str, ...] = ()
    """Types that the availability list leaves out; they can be created all the same."""

    file_failures: tuple[FileFailure, ...] = ()
    """Of a machine that fetches a model's files itself. The first that matches happens."""
    machine_failures: Probability = 0.0
    """The probability of each: a host refuses SSH, an install fails (once or always), a worker never serves."""
    never_ssh: bool = False
    """The host never listens."""
    project_keys_only: bool = False
    """The image lets in the project's SSH keys, and neither those of tags nor those of `instance_keys`."""
    wrong_host_key: bool = False
    """The host shows a host key of its own making, and not the one in its user-data."""
    install_fails_at: str | None = None
    """The install fails in this phase (the name that the script prints as `::phase::NAME`)."""
    install_fails_times: Annotated[int, Field(ge=1)] | None = None
    """How many runs of the install fail like this on one host; None: all."""
    never_loads: bool = False
    """The worker hangs while it loads its model; its port stays closed."""
    worker_fails_with: str | None = None
    """The worker prints this and ends with status 1, each time that Docker starts it."""
    dies_after_ready: Seconds | None = None
    """The worker ends this long after its port answered, and does not come back."""
    engine_dies_after_ready: Seconds | None = None
    """The worker's engine dies this long after the port answered: requests get a 500 at once, and `/health` a 503."""
    engine_hangs_at: str | None = None
    """From a prompt with this text on, the worker's engine produces nothing any more, while `/health` says 200."""
    dead_engine: Seconds = 3.0
    """A worker whose engine has died ends after this long. Docker starts it again, and it serves."""

    @property
    def launch_seconds(self) -> float:
        """The least time from a create call to a loaded model, without rates; any time beyond it is the client's."""
        booted = max(self.poweron + self.ssh_up, self.address)
        return (
            self.create + self.boot_volume + self.volume_update + booted
            + self.image_pull + self.worker_start + self.model_load
        )  # fmt: skip

    @model_validator(mode="after")
    def _a_count_needs_a_phase(self) -> Self:
        if self.install_fails_times is not None and self.install_fails_at is None:
            raise ValueError("install_fails_times without install_fails_at would fail nothing")
        return self
