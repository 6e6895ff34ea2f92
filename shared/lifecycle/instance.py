"""The instance after its events: the snapshot that every event carries."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, field_serializer

from shared.actor import Actor
from shared.lifecycle.fact import Action
from shared.lifecycle.status import LIVE, WATCHED, Status
from shared.lifecycle.transport import WorkerTls
from shared.lifecycle.wish import Findings, Specification, Wish
from shared.plain_text import PlainText


class Failure(BaseModel):
    """`code` is stable, for programs; `message` says what to do, for people."""

    model_config = ConfigDict(frozen=True)
    code: str
    message: PlainText


class Delay(BaseModel):
    """Why the `number`-th try of the due action failed, and when the next one comes."""

    model_config = ConfigDict(frozen=True)
    action: Action
    number: PositiveInt
    code: str
    reason: PlainText
    next_try_at: AwareDatetime


class Volume(BaseModel):
    """`scratch`: on the machine itself, and erased by a full stop; left out of the snapshot unless it is."""

    model_config = ConfigDict(frozen=True)
    id: str
    server_id: str
    scratch: Annotated[bool, Field(exclude_if=lambda scratch: not scratch)] = False


class Period(BaseModel):
    """`until` is None while the period lasts."""

    model_config = ConfigDict(frozen=True)
    since: AwareDatetime
    until: AwareDatetime | None = None


class Resources(BaseModel):
    """Ids of everything that was ever seen of the instance at the provider; the server that claimed it comes first.

    `server_gone`: that server no longer exists. `host_key` counts the keys that we gave the machine; `own_host_key` is
    the public key of a machine that came with its own.
    `revision` counts the additions, so that a release can say which of them it knew.
    """

    model_config = ConfigDict(frozen=True)
    server_id: str | None = None
    server_gone: bool = False
    duplicate_server_ids: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    address_id: str | None = None
    security_group_ids: tuple[str, ...] = ()
    host_key: int = 0
    own_host_key: str | None = None
    revision: int = 0
    released: bool = False

    def gone_with(self, server_id: str | None, revision: int | None) -> bool:
        """Whether a release that saw this server gone, and knew this revision, saw all recorded resources gone."""
        return self.server_id in (None, server_id) and revision in (None, self.revision)


class ChosenImage(BaseModel):
    """A machine image that the server was ordered with; only servers of its zone can boot from it."""

    model_config = ConfigDict(frozen=True)
    id: str
    zone: str


class StoredImage(BaseModel):
    """The machine image that was made of an instance.

    `vllm_image` is on it and, with a `model`, its weights of `commit` and, if `warmed`, what vLLM compiles for them.
    `monthly_price` is in `currency`. `reason` says why no launch chooses it any more, since `retired_at`.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    zone: str
    instance_type: str
    vllm_image: str
    model: str | None = None
    commit: str | None = None
    warmed: Annotated[bool | None, Field(exclude_if=lambda warmed: warmed is None)] = None
    not_warmed_because: Annotated[PlainText | None, Field(exclude_if=lambda reason: reason is None)] = None
    size_gb: PositiveInt
    monthly_price: float | None = None
    currency: str | None = None
    stored_at: AwareDatetime
    retired_at: AwareDatetime | None = None
    deleted_at: AwareDatetime | None = None
    reason: PlainText | None = None


class Install(BaseModel):
    """Where the install of the current attempt is: `failures` counts failed tries, `phase` is the last one begun.

    `image` is the worker's, once the machine has chosen the build. The snapshot leaves it out before that.
    """

    model_config = ConfigDict(frozen=True)
    failures: int = 0
    phase: str | None = None
    phase_index: int = 0
    image: Annotated[str | None, Field(exclude_if=lambda image: image is None)] = None


class FetchedWeights(BaseModel):
    """How much of the model the try `install_try` of the current attempt's install has fetched to the machine."""

    model_config = ConfigDict(frozen=True)
    install_try: PositiveInt
    fetched_bytes: NonNegativeInt
    total_bytes: PositiveInt
    files: NonNegativeInt
    files_total: PositiveInt

    @property
    def complete(self) -> bool:
        return self.fetched_bytes >= self.total_bytes


class Instance(BaseModel):
    """`version` counts its events from 1; times are those of the facts that moved it.

    `progress_since` is when the attempt came as far as it is; None in what was recorded before anybody kept that.
    `worker_tls` is how the worker of this attempt is talked to; `off` as well while its install has not begun.
    `weights` is left out where vLLM fetches the model itself.
    `powered` is when its server was on; `hourly_price` what that costs in `currency`, None while nobody knows.
    `vllm_version` is which vLLM the worker of this attempt says it is, and `longest_context` the one that would have
    done, in tokens, where its own was too long; both are left out while it has not said so.
    `limits_told`: the spending limits of its organisation that it was told of. `delay` is left out while nothing holds
    it up, as it was before anybody kept that.
    `machine_image` is the one that its server boots from, of the `chosen_images` that it was ordered with; of
    `unusable_images` the provider made no server; `no_image_list`: it was told that the provider lists none.
    `stored_image` is the one that was made of it. Each is left out if there is none.
    `created_by` is who asked for it, `requested_by` who asked for the last thing that anybody asked of it. Both
    only know what was recorded, and are left out where nothing was.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    specification: Wish
    findings: Findings
    zone: str | None = None
    instance_type: str | None = None
    ip_address: str | None = None
    hourly_price: float | None = None
    currency: str | None = None
    powered: tuple[Period, ...] = ()
    status: Status
    progress_percent: int
    step: str
    attempt: PositiveInt = 1
    milestones: frozenset[str]
    resources: Resources = Resources()
    install: Install = Install()
    weights: Annotated[FetchedWeights | None, Field(exclude_if=lambda weights: weights is None)] = None
    worker_tls: WorkerTls = "off"
    machine_image: Annotated[str | None, Field(exclude_if=lambda image: image is None)] = None
    chosen_images: Annotated[tuple[ChosenImage, ...], Field(exclude_if=lambda images: not images)] = ()
    unusable_images: Annotated[tuple[str, ...], Field(exclude_if=lambda images: not images)] = ()
    no_image_list: Annotated[bool, Field(exclude_if=lambda unlisted: not unlisted)] = False
    stored_image: Annotated[StoredImage | None, Field(exclude_if=lambda image: image is None)] = None
    max_model_len: int | None = None
    vllm_version: Annotated[str | None, Field(exclude_if=lambda version: version is None)] = None
    longest_context: Annotated[int | None, Field(exclude_if=lambda tokens: tokens is None)] = None
    failed_tries: dict[Action, int] = {}
    delay: Annotated[Delay | None, Field(exclude_if=lambda delay: delay is None)] = None
    outages: int = 0
    limits_told: tuple[str, ...] = ()
    error: Failure | None = None
    created_by: Annotated[Actor | None, Field(exclude_if=lambda actor: actor is None)] = None
    requested_by: Annotated[Actor | None, Field(exclude_if=lambda actor: actor is None)] = None
    created_at: AwareDatetime
    attempt_started_at: AwareDatetime
    progress_since: AwareDatetime | None = None
    status_since: AwareDatetime
    ready_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    updated_at: AwareDatetime
    version: PositiveInt = 1

    @field_serializer("specification")
    def _published(self, wish: Wish) -> Specification:
        return Specification.of(wish, self.findings)

    @field_serializer("milestones")
    def _in_order(self, milestones: frozenset[str]) -> list[str]:
        return sorted(milestones)

    @property
    def kept(self) -> bool:
        """Failed while starting, and its server is kept because its owner wants to inspect it."""
        wanted = self.status is Status.STARTUP_FAILED and self.specification.keep_for_inspection
        return wanted and not self.resources.server_gone

    @property
    def loaded_revision(self) -> str | None:
        """What every install loads of the model's repository: the judged commit, or else what was asked for."""
        return self.findings.commit or self.specification.revision

    @property
    def watched(self) -> bool:
        """Health looks at it. A machine of which an image is made has no worker: it is watched until SSH answers."""
        prepared = self.specification.builds_image and "SshReachable" in self.milestones
        return self.status in WATCHED and not prepared

    @property
    def needed_images(self) -> frozenset[str]:
        """Machine images from which its server may yet be created or started."""
        if self.status not in LIVE or "SshReachable" in self.milestones:
            return frozenset()
        return frozenset(image.id for image in self.chosen_images)

    @property
    def in_use(self) -> bool:
        """Live, or kept: changes that others make to its server are news."""
        return self.status in LIVE or self.kept

    @property
    def held_for_inspection(self) -> bool:
        """Kept, and its machine still exists."""
        return self.kept and not self.resources.released

    @property
    def server_on(self) -> bool:
        """As far as known: on since our power-on, except while somebody else had it off."""
        return bool(self.powered) and self.powered[-1].until is None

    @property
    def has_scratch(self) -> bool:
        """Its server has scratch storage, so its models are there."""
        return any(volume.scratch and volume.server_id == self.resources.server_id for volume in self.resources.volumes)

    @property
    def emptied_at(self) -> datetime | None:
        """When its server last started again after a full stop, which erased its models; None while it is off."""
        again = self.server_on and len(self.powered) > 1
        return self.powered[-1].since if self.has_scratch and again else None

    @property
    def models_erased_at(self) -> datetime | None:
        """`emptied_at`; None unless that is why it is away."""
        emptied = self.emptied_at
        return emptied if emptied is not None and emptied >= self.status_since else None

    def reached(self, *milestones: type[BaseModel]) -> bool:
        """Whether the current attempt has reached any of these."""
        return any(milestone.__name__ in self.milestones for milestone in milestones)
