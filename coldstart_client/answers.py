"""What the API answers. Made from docs/openapi.yaml by `make docs`."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from coldstart_client.reading import Answer, OpenEnum


class Action(OpenEnum):
    """What the provisioner does to the world."""

    CREATE = "create"
    RESIZE_VOLUME = "resize_volume"
    POWER_ON = "power_on"
    AWAIT_ADDRESS = "await_address"
    OPEN_PORTS = "open_ports"
    INSTALL = "install"
    STORE_IMAGE = "store_image"
    RELEASE = "release"


class BreakerState(OpenEnum):
    """`half_open`: it has answered the probe, but no request yet; its next failure sets it aside again."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CheckOutcome(OpenEnum):
    """`limited`: some launches cannot succeed; `failed`: none can; `unknown`: the provider does not let it be asked."""

    PASSED = "passed"
    LIMITED = "limited"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Degraded(Answer):
    """`gave_up`: nothing more is ordered until somebody changes, restarts or resumes the deployment."""

    code: str
    message: str
    since: AwareDatetime
    gave_up: bool = False


class Delay(Answer):
    """Why the `number`-th try of the due action failed, and when the next one comes."""

    action: Action
    number: int
    code: str
    reason: str
    next_try_at: AwareDatetime


class DeploymentIntent(OpenEnum):
    """What a person may ask of a deployment that exists, beside changing its wish."""

    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    ROLLBACK = "rollback"
    DELETE = "delete"


class DeploymentStatus(OpenEnum):
    """`deleted`: replicas may still be on their way out; they are in `replicas` until they are gone."""

    ACTIVE = "active"
    PAUSED = "paused"
    DELETED = "deleted"


class DeploymentTrouble(Answer):
    """`code` is stable, for programs; `message` says what to do, for people."""

    code: str
    message: str
    since: AwareDatetime


class FailedPlace(Answer):
    """Where a replica failed: a zone, a type, or a type in a zone. The next generation avoids it."""

    zone: str | None = None
    instance_type: str | None = None


class Failure(Answer):
    """`code` is stable, for programs; `message` says what to do, for people."""

    code: str
    message: str


class Fits(OpenEnum):
    YES = "yes"
    HARDLY = "hardly"
    NO = "no"
    UNKNOWN = "unknown"


class Group(OpenEnum):
    """What the launches behind an estimate share with it: this and all that follow. The first one with enough is used.

    BUILT_IN stands for assumptions, used when there are too few of any kind.
    """

    MODEL = "model"
    INSTANCE_TYPE = "instance_type"
    PROVIDER = "provider"
    ALL = "all"
    BUILT_IN = "built_in"


class Intent(OpenEnum):
    """What a person may ask of an instance that exists."""

    DRAIN = "drain"
    TERMINATE = "terminate"
    REINSTALL = "reinstall"
    ARCHIVE = "archive"


class Interval(Answer):
    """One step of a launch, from when it could begin until it had ended; `ended_at` is null while it runs.

    `step` is the event that begins it or a phase of the install, in the `install_try`-th try; `percent` is the progress
    of that step. `after`: the steps that had to end before. `critical`: any second less would have been one less of the
    launch. `slack_seconds`: how much later it might have ended with nothing else later; 0 if it is critical.
    """

    step: str
    label: str
    percent: int
    install_try: int | None = None
    after: list[str]
    began_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    seconds: float
    critical: bool
    slack_seconds: float


class Kind(OpenEnum):
    KEY = "key"
    SESSION = "session"
    SERVICE = "service"


class LaunchOutcome(OpenEnum):
    """READY: it serves, or its machine image is stored. STOPPED: it failed or was ended before that."""

    RUNNING = "running"
    READY = "ready"
    STOPPED = "stopped"


class Lead(Answer):
    """Seconds from an order to ready, by past launches like it."""

    p50_s: float = 600.0
    p90_s: float = 1200.0


class LoadSlot(Answer):
    """Of five minutes from `at`. `mean` and `peak`: of the requests in flight and held together. The rest are means."""

    at: AwareDatetime
    mean: float
    peak: float
    in_flight: float
    held: float
    arriving_per_s: float
    refused_per_s: float
    ready: float


class LoadView(Answer):
    """Requests in flight and held now, and how many arrive in a second, by all api processes heard lately."""

    in_flight: int
    held: int
    arriving_per_s: float


class OfDeployment(Answer):
    """The replica that an instance is. `deployment_name` is for people, `generation` counts its replacements from 1."""

    deployment_id: UUID
    deployment_name: str
    revision: int
    ordinal: int
    generation: int


class Offer(Answer):
    """An instance type of one provider; `availability` is by zone, as far as the provider reports it.

    `compute_capability` is that of its GPUs, null if it is not known. `unusable`: why vLLM cannot run on it. Such a
    type is refused.
    """

    name: str
    zones: list[str]
    gpus: int = 0
    gpu: str | None = None
    gpu_memory_gb: float | None = None
    vcpus: int | None = None
    memory_gb: float | None = None
    scratch_gb: float | None = None
    hourly_price: float | None = None
    currency: str | None = None
    availability: dict[str, Any] = {}
    image: str | None = None
    provider: str
    compute_capability: float | None = None
    unusable: str | None = None


class OutputLine(Answer):
    """`number` counts from 1 within its try; `at` is when the provisioner read it. `text` has no secrets."""

    number: int
    at: AwareDatetime
    text: str


class ProviderCheck(Answer):
    """A question to a provider and its answer, for people: `subject` is one or two words, such as `quota`."""

    subject: str
    outcome: CheckOutcome
    detail: str


class ProviderStatus(Answer):
    """`reason` is why nothing can be launched, for people, and None if something can; `since` is the start of this.

    `checks` are the questions that led to it, asked at `checked_at`.
    """

    provider: str
    reason: str | None = None
    since: AwareDatetime
    next_try_at: AwareDatetime | None = None
    checks: Annotated[list[ProviderCheck], Field(validate_default=True)] = []
    checked_at: AwareDatetime | None = None


class Purpose(OpenEnum):
    SERVE = "serve"
    MACHINE_IMAGE = "machine_image"


class Reason(OpenEnum):
    BOUNDS = "bounds"
    LOAD = "load"
    FORECAST = "forecast"
    WOKEN = "woken"
    QUIET = "quiet"
    IDLE = "idle"
    PAUSED = "paused"
    DELETED = "deleted"


class Replica(Answer):
    """A place for an instance. Its id says which instance: that of this ordinal, revision and generation.

    `leaving`: it is to be drained, since `leaving_since`, and is kept here until it has ended. `failures` in a row led
    to this generation, which may be launched from `not_before` on, at no place in `avoid`; `failure` is the last one.
    `wasted` of them cost something, and no place explains them. `refusal`: why it could not be launched yet.
    """

    ordinal: int
    revision: int
    generation: int
    instance_id: UUID
    leaving: bool = False
    leaving_since: AwareDatetime | None = None
    failures: int = 0
    wasted: int = 0
    failure: DeploymentTrouble | None = None
    not_before: AwareDatetime | None = None
    avoid: Annotated[list[FailedPlace], Field(validate_default=True)] = []
    refusal: DeploymentTrouble | None = None


class ReplicaDelay(Answer):
    """A replica has got no further since `since`. `next_try_at` is None if that is not known."""

    ordinal: int
    revision: int
    code: str
    reason: str
    since: AwareDatetime
    next_try_at: AwareDatetime | None = None


class Rollout(Answer):
    """How a new revision replaces the former: with `surge` replicas more than wanted at once.

    A new replica must have been ready for `settle` seconds before an old one goes.
    """

    surge: int = 1
    settle: int = 30


class RolloutState(Answer):
    """`former` is the revision that serves until this one does. `halted`: why the new one was given up."""

    revision: int
    former: int
    since: AwareDatetime
    halted: DeploymentTrouble | None = None


class Rule(OpenEnum):
    """`ID`: a catalogued model's UUID; `PUBLIC`: its id on the hub; `OFFERING`: a name of the caller's organisation."""

    ID = "id"
    PUBLIC = "public"
    OFFERING = "offering"


class ScalingFigures(Answer):
    """What a scaling was decided by.

    `load`: requests in flight and held, as it was; `expected`: as it will be once a machine that is ordered now is
    ready. `lead_seconds`: how long that takes. `per_replica`: the target.
    """

    load: float
    expected: float
    lead_seconds: float
    per_replica: float
    min_replicas: int
    max_replicas: int


class Source(OpenEnum):
    """Whose lines."""

    INSTALL = "install"
    WORKER = "worker"


class Status(OpenEnum):
    PROVISIONING = "provisioning"
    BOOTING = "booting"
    INSTALLING = "installing"
    STARTING = "starting"
    READY = "ready"
    UNAVAILABLE = "unavailable"
    DRAINING = "draining"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    ARCHIVED = "archived"
    PROVISIONING_FAILED = "provisioning_failed"
    STARTUP_FAILED = "startup_failed"
    FAILED = "failed"


class StatusGroup(OpenEnum):
    """In the order of urgency."""

    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    LAUNCHING = "launching"
    READY = "ready"
    ENDING = "ending"
    GONE = "gone"


class Task(OpenEnum):
    GENERATE = "generate"
    EMBED = "embed"


class Template(Answer):
    """What each replica is: the fields of an instance's wish that decide what it serves and where.

    A change of any of them is a new revision, which is rolled out.
    """

    model: str
    task: Task = Task.GENERATE
    provider: str = "scaleway"
    zones: list[str] = []
    instance_types: list[str] = []
    volume_gb: int = 200
    image: str | None = None
    revision: str | None = None
    vllm_args: list[str] = []


class Tone(OpenEnum):
    NEUTRAL = "neutral"
    PROGRESS = "progress"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Turn(Answer):
    """From each moment that `cron` names in `time_zone`, these bounds hold until another turn of the schedule."""

    cron: str
    time_zone: str = "UTC"
    min_replicas: int
    max_replicas: int


class TypeFit(Answer):
    """`hardly`: a launch is accepted with a warning. `why` says what is in the way on this type, if anything is.

    Unknown figures are null.
    """

    provider: str
    instance_type: str
    fits: Fits
    why: str | None = None
    gpus: Annotated[int, Field(description="How many of its GPUs the model uses.")]
    context: Annotated[int | None, Field(description="The longest context that fits, in tokens.")] = None
    requests: Annotated[
        int | None,
        Field(description="How many requests of the launch's context fit at once."),
    ] = None
    hourly_price: float | None = None
    currency: str | None = None


class UsualStep(Answer):
    """The duration from `percent` to `until_percent`: p50 and p90 of the launches."""

    percent: int
    until_percent: int
    label: str
    p50_seconds: float
    p90_seconds: float


class WakingCandidate(Answer):
    """A deployment of the model. `reason` says why a request of this key would wake it now or not."""

    id: UUID
    name: str
    organization_id: UUID | None = None
    status: DeploymentStatus
    wanted: int
    wakes: bool
    reason: str


class WorkerTls(OpenEnum):
    MUTUAL = "mutual"
    OFF = "off"


class Actor(Answer):
    """`id` is the API key's, also of a console session, which is signed in with one. A service has none.

    `name` is that of the key, or of the service, when it asked.
    """

    kind: Kind
    id: UUID | None = None
    name: str


class AskedView(Answer):
    """What PUT is given to make it so."""

    min_replicas: int = 0
    max_replicas: int = 1
    target_in_flight: float = 16.0
    scale_down_after: int = 300
    scale_to_zero_after: int | None = 900
    hold: int = 600
    schedule: Annotated[list[Turn], Field(validate_default=True)] = []
    fallback: str | None = None
    model: str
    task: Task = Task.GENERATE
    provider: str = "scaleway"
    zones: list[str] = []
    instance_types: list[str] = []
    volume_gb: int = 200
    image: str | None = None
    revision: str | None = None
    vllm_args: list[str] = []
    organization: str | None = None
    rollout: Rollout


class Basis(Answer):
    """Which past launches an estimate comes from, and how many; 0 for built-in assumptions."""

    group: Group
    launches: int


class Candidate(Answer):
    """An instance of the model. `reason` says why it gets requests or not; `breaker` whether it was set aside."""

    id: UUID
    name: str
    organization_id: UUID | None = None
    status: Status
    progress_percent: int
    eligible: bool
    reason: str
    breaker: BreakerState
    in_flight: int


class CriticalPath(Answer):
    """One attempt, up to where it became ready or stopped, or until `as_of`.

    Its critical intervals follow each other without a gap, and add up to `seconds`. There are none as long as the read
    model has none of its events. `waits_for`: the step that it waits for now, null unless it runs.
    """

    attempt: int
    outcome: LaunchOutcome
    began_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    as_of: AwareDatetime
    seconds: float
    waits_for: str | None = None
    intervals: list[Interval]


class DeploymentLoadView(Answer):
    """Requests in flight and held now, and how many arrive, are refused and are served in a second.

    `known`: an api was heard lately; without one all of these are 0. `lead`: how long a replica ordered now takes.
    `slots`: what it was in each five minutes, oldest first. Where nothing was asked, there may be no slot.
    """

    known: bool
    in_flight: int
    held: int
    arriving_per_s: float
    refused_per_s: float
    served_per_s: float
    lead: Lead
    slots: list[LoadSlot]


class DeploymentTimelineRow(Answer):
    """One event: `occurred_at` by its observer's clock, `recorded_at` by the stream's; `data` is the fact.

    `status`, `wanted` and `revision` are those of the deployment after it. `words` say what happened and why, for
    people; they are empty for an event that a newer version has written. `actor` is the service that recorded it;
    `requested_by` who asked for it, null if nobody did.
    """

    version: int
    sequence: int
    type: str
    status: DeploymentStatus
    wanted: int
    revision: int
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    actor: str
    requested_by: Actor | None = None
    data: dict[str, Any]
    words: str


class DeploymentTimelineRowPage(Answer):
    items: list[DeploymentTimelineRow]
    next_cursor: str | None = None


class Estimate(Answer):
    """Remaining time and time of day: half of all launches are ready by the p50, 90 % by the p90.

    Only launches that become ready count.
    """

    p50_seconds: float
    p90_seconds: float
    ready_at_p50: AwareDatetime
    ready_at_p90: AwareDatetime
    basis: Basis


class Explanation(Answer):
    """`rule`, `model` and `task` are null if nothing is found.

    `code`: the error code under /v1 if the request would be refused, even with ready workers. `fallback`: the model
    that answers this key while no instance is ready, as its deployment says.
    """

    asked: str
    rule: Rule | None = None
    model: str | None = None
    model_id: UUID | None = None
    task: Task | None = None
    code: str | None = None
    detail: str
    instances: list[Candidate]
    deployments: list[WakingCandidate]
    fallback: str | None = None


class FoundModel(Answer):
    """A model under its name for launches; `offering_of` is its hub id if that name is an organisation's.

    `loaded_gb` is the weights' size once loaded, in 10⁹ bytes. `task` is null if it is not served here. `why` says why
    it is not `usable`, or what it needs. Unknown values are null.
    """

    model: str
    offering_of: str | None = None
    in_catalogue: bool
    gated: bool
    task: Task | None = None
    parameters: int | None = None
    weights_bytes: int | None = None
    loaded_gb: float | None = None
    downloads: int | None = None
    usable: bool
    why: str | None = None


class HubAnswer(Answer):
    """Whether the hub's models are included; `detail` says why not."""

    status: Status
    detail: str | None = None


class InstanceView(Answer):
    """`eta`: when it will be ready; None unless it is on its way."""

    id: UUID
    organization_id: UUID | None = None
    name: str
    provider: str
    zone: str | None = None
    instance_type: str | None = None
    model: str
    task: Task
    purpose: Purpose = Purpose.SERVE
    replica: OfDeployment | None = None
    status: Status
    status_label: str
    status_since: AwareDatetime
    group: StatusGroup
    tone: Tone
    progress_percent: int
    step: str
    step_label: str
    step_since: AwareDatetime
    doing: str
    where: str
    waits_for: str | None = None
    attempt: int
    image: str | None = None
    vllm_version: str | None = None
    worker_tls: WorkerTls | None = None
    ip_address: str | None = None
    error: Failure | None = None
    advice: str | None = None
    delay: Delay | None = None
    serving: bool
    actions: list[Intent]
    hourly_price: float | None = None
    currency: str | None = None
    cost: float | None = None
    server_on: bool
    created_by: Actor | None = None
    requested_by: Actor | None = None
    created_at: AwareDatetime
    ready_at: AwareDatetime | None = None
    updated_at: AwareDatetime
    as_of: AwareDatetime
    version: int
    eta: Estimate | None = None


class InstanceViewPage(Answer):
    items: list[InstanceView]
    next_cursor: str | None = None


class Log(Answer):
    """All lines belong to one try of one attempt, oldest first; both are null before the first line.

    `machine` comes with the worker's lines: its container's state, GPUs, disks and memory, as commands print them. A
    worker has no `install_try`.
    """

    items: Annotated[list[OutputLine], Field(validate_default=True)] = []
    attempt: int | None = None
    install_try: int | None = None
    machine: list[str] = []
    next_cursor: None


class Model(Answer):
    """`model` is its id on the Hugging Face hub, in the hub's spelling; `gated`: its files need a token there.

    `weights_bytes` is the size of its files; None if the hub does not say it, or was not asked yet.
    `trust_remote_code`: an administrator allows workers to run code from its repository.
    """

    id: UUID
    model: str
    task: Task
    gated: bool
    parameters: int | None = None
    weights_bytes: int | None = None
    trust_remote_code: bool = False
    created_at: AwareDatetime


class ModelFit(Answer):
    """`commit` is what was looked at; null if the hub did not answer. `why_not`: why no type would do.

    `warnings` are those that do not depend on the type.
    """

    model: str
    task: Task
    commit: str | None = None
    why_not: list[str]
    warnings: list[str]
    items: Annotated[list[TypeFit], Field(description="Types with GPUs, the cheapest first.")]
    next_cursor: None


class ModelPage(Answer):
    items: list[Model]
    next_cursor: str | None = None


class NewInstance(Answer):
    """`warnings` say what most likely will not work, such as weights that leave no room. Normally there is none."""

    id: UUID
    organization_id: UUID | None = None
    name: str
    provider: str
    zone: str | None = None
    instance_type: str | None = None
    model: str
    task: Task
    purpose: Purpose = Purpose.SERVE
    replica: OfDeployment | None = None
    status: Status
    status_label: str
    status_since: AwareDatetime
    group: StatusGroup
    tone: Tone
    progress_percent: int
    step: str
    step_label: str
    step_since: AwareDatetime
    doing: str
    where: str
    waits_for: str | None = None
    attempt: int
    image: str | None = None
    vllm_version: str | None = None
    worker_tls: WorkerTls | None = None
    ip_address: str | None = None
    error: Failure | None = None
    advice: str | None = None
    delay: Delay | None = None
    serving: bool
    actions: list[Intent]
    hourly_price: float | None = None
    currency: str | None = None
    cost: float | None = None
    server_on: bool
    created_by: Actor | None = None
    requested_by: Actor | None = None
    created_at: AwareDatetime
    ready_at: AwareDatetime | None = None
    updated_at: AwareDatetime
    as_of: AwareDatetime
    version: int
    eta: Estimate | None = None
    warnings: list[str] = []


class Offers(Answer):
    """All types: they are too few for pages. `providers` says whether each can be used, and why not."""

    items: list[Offer]
    providers: list[ProviderStatus]
    next_cursor: None


class ReplicaView(Answer):
    """`instance`: None while it is not launched, or if its events are not projected yet."""

    ordinal: int
    revision: int
    generation: int
    instance_id: UUID
    leaving: bool = False
    leaving_since: AwareDatetime | None = None
    failures: int = 0
    wasted: int = 0
    failure: DeploymentTrouble | None = None
    not_before: AwareDatetime | None = None
    avoid: Annotated[list[FailedPlace], Field(validate_default=True)] = []
    refusal: DeploymentTrouble | None = None
    instance: InstanceView | None = None


class Scaling(Answer):
    """How many replicas there are. A change takes effect at once; nothing is rolled out.

    `target_in_flight`: requests in flight per replica. `scale_down_after`: for so many seconds the load must have been
    low; `scale_to_zero_after`: for so many there must have been none (None: never to zero). `hold`: the most seconds
    that a request waits for a cold start when its client did not say. `fallback`: the model or offering that answers
    while no replica is ready.
    """

    min_replicas: int = 0
    max_replicas: int = 1
    target_in_flight: float = 16.0
    scale_down_after: int = 300
    scale_to_zero_after: int | None = 900
    hold: int = 600
    schedule: Annotated[list[Turn], Field(validate_default=True)] = []
    fallback: str | None = None


class ScalingExplanation(Answer):
    """`wanted` as it is, and `would_be` as it would be decided now; `steps` are the next ones, in words."""

    wanted: int
    would_be: int
    ready: int
    reason: Reason
    message: str
    figures: ScalingFigures
    steps: list[str]


class TimelineRow(Answer):
    """One event: `occurred_at` by its observer's clock, `recorded_at` by the stream's; `data` is the fact.

    `actor` is the service that recorded it; `requested_by` who asked for it, null if nobody did.
    """

    version: int
    sequence: int
    type: str
    status: Status
    progress_percent: int
    attempt: int
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    actor: str
    requested_by: Actor | None = None
    data: dict[str, Any]


class TimelineRowPage(Answer):
    items: list[TimelineRow]
    next_cursor: str | None = None


class UsualSteps(Answer):
    """In the order of a launch; `basis` names the launches used."""

    items: list[UsualStep]
    basis: Basis


class DeploymentWish(Answer):
    """`name` is unique in its organisation (None: shared by all); neither ever changes."""

    name: str
    organization_id: UUID | None = None
    template: Template
    scaling: Scaling | None = None
    rollout: Rollout | None = None


class FoundModels(Answer):
    """Models of the catalogue first, then of the hub; those that cannot be launched come last."""

    items: Annotated[
        list[FoundModel],
        Field(description="At most `limit` of the catalogue, and as many of the hub."),
    ]
    hub: HubAnswer
    next_cursor: None


class NewDeployment(Answer):
    """`warnings` say what most likely will not work, such as weights that leave no room. Normally there is none."""

    id: UUID
    name: str
    organization_id: UUID | None = None
    model: str
    status: DeploymentStatus
    status_label: str
    status_since: AwareDatetime
    tone: Tone
    doing: str
    wanted: int
    revision: int
    serving_revision: int
    replicas: list[ReplicaView]
    rollout: RolloutState | None = None
    degraded: Degraded | None = None
    wish: DeploymentWish
    actions: list[DeploymentIntent]
    created_by: Actor | None = None
    requested_by: Actor | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    as_of: AwareDatetime
    version: int
    ready: int
    on_their_way: int
    delay: ReplicaDelay | None = None
    load: LoadView | None = None
    hourly_price: float
    monthly_price: float
    currency: str | None = None
    asked: AskedView
    warnings: list[str] = []


class DeploymentDescription(Answer):
    """A deployment at the moment `as_of`.

    `status_label` is its status in words; `doing` says what it does or what hinders it, and is empty if nothing does.
    `wanted` replicas are to serve; how many are ready is for their instances to say. `actions` are possible now.
    `created_by` asked for it, `requested_by` for the last change; None where that was not recorded.
    """

    id: UUID
    name: str
    organization_id: UUID | None = None
    model: str
    status: DeploymentStatus
    status_label: str
    status_since: AwareDatetime
    tone: Tone
    doing: str
    wanted: int
    revision: int
    serving_revision: int
    replicas: list[Replica]
    rollout: RolloutState | None = None
    degraded: Degraded | None = None
    wish: DeploymentWish
    actions: list[DeploymentIntent]
    created_by: Actor | None = None
    requested_by: Actor | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    as_of: AwareDatetime
    version: int


class DeploymentView(Answer):
    """`ready` of the replicas that stay serve, and `on_their_way` will; one whose launch was refused is neither.

    `delay` is what holds a replica up, a rollout's before others. `load` is None while no api was heard. `hourly_price`
    is what its servers cost an hour now, at list price; `monthly_price` what that makes in 730 hours. `asked` is the
    body that PUT is given to make it so.
    """

    id: UUID
    name: str
    organization_id: UUID | None = None
    model: str
    status: DeploymentStatus
    status_label: str
    status_since: AwareDatetime
    tone: Tone
    doing: str
    wanted: int
    revision: int
    serving_revision: int
    replicas: list[ReplicaView]
    rollout: RolloutState | None = None
    degraded: Degraded | None = None
    wish: DeploymentWish
    actions: list[DeploymentIntent]
    created_by: Actor | None = None
    requested_by: Actor | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    as_of: AwareDatetime
    version: int
    ready: int
    on_their_way: int
    delay: ReplicaDelay | None = None
    load: LoadView | None = None
    hourly_price: float
    monthly_price: float
    currency: str | None = None
    asked: AskedView


class DeploymentViewPage(Answer):
    items: list[DeploymentView]
    next_cursor: str | None = None
