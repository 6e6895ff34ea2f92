"""What the owner of a deployment asked for: what each replica is, how many there may be, how a change is rolled out."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from shared.lifecycle.wish import DEFAULT_PROVIDER, Task

MOST_REPLICAS: Final = 200
"""Every event of a deployment carries all of them, and has to fit into a message of the stream."""


class Template(BaseModel):
    """What each replica is: the fields of an instance's wish that decide what it serves and where.

    A change of any of them is a new revision, which is rolled out.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    task: Task = "generate"
    provider: str = DEFAULT_PROVIDER
    zones: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    volume_gb: PositiveInt = 200
    image: str | None = None
    revision: str | None = None
    vllm_args: tuple[str, ...] = ()


class Turn(BaseModel):
    """From each moment that `cron` names in `time_zone`, these bounds hold until another turn of the schedule."""

    model_config = ConfigDict(frozen=True)

    cron: str
    time_zone: str = "UTC"
    min_replicas: NonNegativeInt
    max_replicas: NonNegativeInt


class Scaling(BaseModel):
    """How many replicas there are. A change takes effect at once; nothing is rolled out.

    `target_in_flight`: requests in flight per replica. `scale_down_after`: for so many seconds the load must have been
    low; `scale_to_zero_after`: for so many there must have been none (None: never to zero). `hold`: the most seconds
    that a request waits for a cold start when its client did not say. `fallback`: the model or offering that answers
    while no replica is ready.
    """

    model_config = ConfigDict(frozen=True)

    min_replicas: NonNegativeInt = 0
    max_replicas: NonNegativeInt = 1
    target_in_flight: Annotated[float, Field(gt=0)] = 16.0
    scale_down_after: NonNegativeInt = 300
    scale_to_zero_after: NonNegativeInt | None = 900
    hold: NonNegativeInt = 600
    schedule: tuple[Turn, ...] = ()
    fallback: str | None = None


class Rollout(BaseModel):
    """How a new revision replaces the former: with `surge` replicas more than wanted at once.

    A new replica must have been ready for `settle` seconds before an old one goes.
    """

    model_config = ConfigDict(frozen=True)

    surge: PositiveInt = 1
    settle: NonNegativeInt = 30


class DeploymentWish(BaseModel):
    """`name` is unique in its organisation (None: shared by all); neither ever changes."""

    model_config = ConfigDict(frozen=True)

    name: str
    organization_id: UUID | None = None
    template: Template
    scaling: Scaling = Scaling()
    rollout: Rollout = Rollout()
