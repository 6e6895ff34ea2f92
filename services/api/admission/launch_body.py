"""The bodies that ask for a launch: what may be asked, and the wish that it becomes."""

import re
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.api.access.api_keys import ModelName
from services.api.tenancy.organizations import Slug
from shared.lifecycle.wish import DEFAULT_PROVIDER, Task, Wish

_LONGEST_NAME: Final = 63
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9.-]+")

Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$",
        max_length=_LONGEST_NAME,
        description="Letters, digits, spaces, dots, dashes and underscores. Default: derived from the model's id.",
    ),
]
Choice = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Image = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]*$",
        max_length=255,
        description="The vLLM image to run. Default: the type's.",
    ),
]

Revision = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$",
        max_length=200,
        description="A branch, tag or commit of the model's repository on the hub. Default: its main branch. "
        "Every install loads the commit that it named at the launch.",
    ),
]
VllmArgs = Annotated[
    list[Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]],
    Field(max_length=64, description="Options of vLLM that tune it, as the version in the image has them."),
]
ANY: Final = "any"


def listed(value: Any) -> Any:
    """The word alone stands for a list with it."""
    return [ANY] if value == ANY else value


Zones = Annotated[list[Choice], Field(max_length=16)]
Types = Annotated[list[Choice], Field(min_length=1, max_length=16)]
Lifetime = Annotated[int, Field(ge=60, le=31_536_000)]


class LaunchBody(BaseModel):
    """What each worker is, of a single instance or of a deployment.

    `zones` and `instance_types` are in order of preference, or the word "any". Any type (the default): the cheapest
    in-stock type that fits the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[ModelName, Field(description="Its id on the Hugging Face hub, or the name of an own offering.")]
    organization: Annotated[
        Slug | None, Field(description="Owning organisation (slug). Default: the key's; for administrators, shared.")
    ] = None
    task: Annotated[Task | None, Field(description="What the model is for. Default: as the hub says.")] = None
    provider: Annotated[Choice | None, Field(description=f"Default: {DEFAULT_PROVIDER}, or the only one.")] = None
    zones: Annotated[Zones, BeforeValidator(listed, json_schema_input_type=Zones | Literal["any"])] = []
    instance_types: Annotated[Types, BeforeValidator(listed, json_schema_input_type=Types | Literal["any"])] = [ANY]
    volume_gb: Annotated[int, Field(ge=150, le=10_000, description="Size of the boot volume, in 10⁹ bytes.")] = 200
    image: Image | None = None
    revision: Revision | None = None
    vllm_args: VllmArgs = []


class InstanceBody(LaunchBody):
    """The body of POST /instances. `max_lifetime` and `idle_shutdown` are in seconds.

    `zones` and `instance_types` are in order of preference, or the word "any". Any type (the default): the cheapest
    in-stock type that fits the model.
    """

    name: Name | None = None
    keep_for_inspection: bool = False
    max_lifetime: Annotated[
        Lifetime | None, Field(description="It is drained or terminated this many seconds after the request.")
    ] = None
    idle_shutdown: Annotated[
        Lifetime | None, Field(description="It is drained after this many seconds without a request on its worker.")
    ] = None


def wish_of(body: InstanceBody, model: str, task: Task, provider: str, organization_id: UUID | None) -> Wish:
    """With what the body leaves open or names otherwise: the model's id, its task, the provider and the owner."""
    return Wish(
        name=body.name or _name_for(model),
        model=model,
        task=task,
        organization_id=organization_id,
        provider=provider,
        zones=_preferred(body.zones),
        instance_types=_preferred(body.instance_types),
        volume_gb=body.volume_gb,
        image=body.image,
        revision=body.revision,
        vllm_args=tuple(body.vllm_args),
        keep_for_inspection=body.keep_for_inspection,
        max_lifetime=body.max_lifetime,
        idle_shutdown=body.idle_shutdown,
    )


def _name_for(model: str) -> str:
    """`Qwen/Qwen2.5-0.5B-Instruct` → `qwen2.5-0.5b-instruct`."""
    name = _NOT_IN_NAMES.sub("-", model.rpartition("/")[2].lower()).strip("-.")
    return name[:_LONGEST_NAME] or "model"


def _preferred(choices: list[str]) -> tuple[str, ...]:
    """Empty if any will do."""
    return () if ANY in choices else tuple(choices)
