"""What the API takes. Made from docs/openapi.yaml by `make docs`."""

from typing import Literal, NotRequired, TypedDict


class RolloutBody(TypedDict):
    """How a new revision replaces the former.

    `surge`: so many replicas more than wanted at once. `settle`: for so many seconds a new replica must have been ready
    before an old one goes.
    """

    surge: NotRequired[int]
    settle: NotRequired[int]


class ScaleBody(TypedDict):
    """How many replicas there are at least and at most. A field that is left out stays."""

    min_replicas: NotRequired[int | None]
    max_replicas: NotRequired[int | None]


class TurnBody(TypedDict):
    """From each moment that `cron` names in `time_zone`, these bounds hold until another turn of the schedule."""

    cron: str
    time_zone: NotRequired[str]
    min_replicas: int
    max_replicas: int


class DeploymentBody(TypedDict):
    """What a deployment is to be. A field that is left out gets its default, whatever it was before.

    `zones` and `instance_types` are in order of preference, or the word "any". A change of what each replica is (model,
    task, provider, zones, types, volume, image, revision or options) is rolled out; any other takes effect at once.
    """

    model: str
    organization: NotRequired[str | None]
    task: NotRequired[Literal["generate", "embed"] | None]
    provider: NotRequired[str | None]
    zones: NotRequired[list[str] | Literal["any"]]
    instance_types: NotRequired[list[str] | Literal["any"]]
    volume_gb: NotRequired[int]
    image: NotRequired[str | None]
    revision: NotRequired[str | None]
    vllm_args: NotRequired[list[str]]
    min_replicas: NotRequired[int]
    max_replicas: NotRequired[int]
    target_in_flight: NotRequired[float]
    scale_down_after: NotRequired[int]
    scale_to_zero_after: NotRequired[int | None]
    hold: NotRequired[int]
    schedule: NotRequired[list[TurnBody]]
    fallback: NotRequired[str | None]
    rollout: NotRequired[RolloutBody]


class InstanceBody(TypedDict):
    """The body of POST /instances. `max_lifetime` and `idle_shutdown` are in seconds.

    `zones` and `instance_types` are in order of preference, or the word "any". Any type (the default): the cheapest
    in-stock type that fits the model.
    """

    model: str
    organization: NotRequired[str | None]
    task: NotRequired[Literal["generate", "embed"] | None]
    provider: NotRequired[str | None]
    zones: NotRequired[list[str] | Literal["any"]]
    instance_types: NotRequired[list[str] | Literal["any"]]
    volume_gb: NotRequired[int]
    image: NotRequired[str | None]
    revision: NotRequired[str | None]
    vllm_args: NotRequired[list[str]]
    name: NotRequired[str | None]
    keep_for_inspection: NotRequired[bool]
    max_lifetime: NotRequired[int | None]
    idle_shutdown: NotRequired[int | None]


class ModelBody(TypedDict):
    """A model's id on the Hugging Face hub, and whether its workers may run code from its repository."""

    model: str
    task: NotRequired[Literal["generate", "embed"] | None]
    trust_remote_code: NotRequired[bool | None]
