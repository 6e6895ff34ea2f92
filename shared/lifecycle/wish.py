"""What the owner asked for, and apart from it what admission found out about that."""

from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from shared.plain_text import PlainText

Task: TypeAlias = Literal["generate", "embed"]
Purpose: TypeAlias = Literal["serve", "machine_image"]
"""`serve`: to answer requests; `machine_image`: to be prepared, stored as a machine image, and terminated."""
DEFAULT_PROVIDER: Final = "scaleway"
"""Of requests that name none while several are configured, and of records from before there were others."""


class OfDeployment(BaseModel):
    """The replica that an instance is. `deployment_name` is for people, `generation` counts its replacements from 1."""

    model_config = ConfigDict(frozen=True)

    deployment_id: UUID
    deployment_name: str
    revision: PositiveInt
    ordinal: NonNegativeInt
    generation: PositiveInt


class Wish(BaseModel):
    """What was asked for. It never changes after the request.

    `zones` and `instance_types` are in order of preference. Empty means any: zones in the provider's order, types the
    cheapest first. `volume_gb` is the size of the boot volume in 10⁹ bytes. `max_lifetime` and `idle_shutdown` are in
    seconds, from the request and from the last request that the worker served. `model` is empty if a machine image is
    built without one.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    model: str
    task: Task = "generate"
    organization_id: UUID | None = None
    provider: str = DEFAULT_PROVIDER
    zones: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    volume_gb: PositiveInt = 200
    image: str | None = None
    revision: str | None = None
    vllm_args: tuple[str, ...] = ()
    keep_for_inspection: bool = False
    max_lifetime: PositiveInt | None = None
    idle_shutdown: PositiveInt | None = None
    replica: Annotated[OfDeployment | None, Field(exclude_if=lambda replica: replica is None)] = None
    purpose: Annotated[Purpose, Field(exclude_if=lambda purpose: purpose == "serve")] = "serve"

    @property
    def builds_image(self) -> bool:
        return self.purpose == "machine_image"


class FailedPlace(BaseModel):
    """Where a replica failed: a zone, a type, or a type in a zone. The next generation avoids it."""

    model_config = ConfigDict(frozen=True)

    zone: str | None = None
    instance_type: str | None = None


class Findings(BaseModel):
    """What admission found out when it judged the wish. Another time the same wish may have other findings.

    `gated`: the hub gives the model's files only to those who accepted its licence; None if that is not on record.
    `commit` of the model's repository is what the revision named, and what was judged: every install loads it. None if
    the hub gave no answer; then the revision decides at each install.
    `gpu_memory_gb` is what the model's weights need of all GPUs together at least, in 10⁹ bytes; None if not known.
    `weights_bytes` is the size of the weights that the worker downloads, at least; None if not known.
    `max_hourly_price` is the highest list price of the server: what was left of the organisation's spending by the
    hour. `warnings` are what the owner was told that most likely will not work.

    `tensor_parallel_sizes`: into how many parts vLLM can split each layer; empty if not known. `no_room` names types
    that cannot hold the weights and one request of the whole context. `trust_remote_code`: the worker may run code from
    the model's repository, as an administrator has allowed. `avoid`: where replicas before this one have failed; it is
    launched elsewhere, if it may be.
    """

    model_config = ConfigDict(frozen=True)

    gated: bool | None = None
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    gpu_memory_gb: Annotated[float, Field(gt=0)] | None = None
    weights_bytes: PositiveInt | None = None
    max_hourly_price: Annotated[float, Field(ge=0)] | None = None
    warnings: tuple[PlainText, ...] = ()
    tensor_parallel_sizes: tuple[PositiveInt, ...] = ()
    no_room: tuple[str, ...] = ()
    trust_remote_code: bool = False
    avoid: Annotated[tuple[FailedPlace, ...], Field(exclude_if=lambda avoid: not avoid)] = ()


class Specification(Wish):
    """The wish as events publish it. Beside it stand those findings that version 1 published here.

    A published field stays where followers read it; the findings as a whole are in `findings`.
    """

    gated: Annotated[bool | None, Field(exclude_if=lambda gated: gated is None)] = None
    gpu_memory_gb: Annotated[float, Field(gt=0)] | None = None
    max_hourly_price: Annotated[float, Field(ge=0)] | None = None

    @staticmethod
    def of(wish: Wish, findings: Findings) -> "Specification":
        """Nothing is validated anew: this is done for every event."""
        return _BLANK.model_copy(
            update={
                **wish.__dict__,
                "gated": findings.gated,
                "gpu_memory_gb": findings.gpu_memory_gb,
                "max_hourly_price": findings.max_hourly_price,
            }
        )


_BLANK: Final = Specification(name="", model="")
"""Copying it takes a fourth of the time that `model_construct` does."""
