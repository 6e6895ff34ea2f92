"""The body of PUT /deployments/{name}: what may be asked, and the wish that it becomes."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from services.api.access.api_keys import ModelName
from services.api.admission.launch_body import ANY, Choice, InstanceBody, LaunchBody, listed
from shared.deployments.wish import MOST_REPLICAS, DeploymentWish, Rollout, Scaling, Template, Turn
from shared.lifecycle.wish import Wish

LONGEST_NAME: Final = 57
"""So that a dash and five digits can follow in the names of its instances."""
_A_YEAR: Final = 31_536_000
_A_DAY: Final = 86_400
"""Nobody keeps the load of longer by the second, so a longer window would never be known to be quiet."""
_DEFAULTS: Final = Scaling()
_A_TURN: Final[JsonDict] = {
    "cron": "0 8 * * mon-fri",
    "time_zone": "Europe/Paris",
    "min_replicas": 1,
    "max_replicas": 8,
}
_A_ROLLOUT: Final[JsonDict] = {"surge": 2, "settle": 60}
_A_MODEL: Final[JsonDict] = {"model": "Qwen/Qwen2.5-0.5B-Instruct"}
A_DEPLOYMENT: Final[JsonDict] = {
    **_A_MODEL,
    "instance_types": ["L4-1-24G", "H100-1-80G"],
    "min_replicas": 0,
    "max_replicas": 4,
    "scale_to_zero_after": 900,
    "schedule": [_A_TURN],
    "rollout": _A_ROLLOUT,
}

AnyTypes = Annotated[list[Choice], Field(max_length=16)]
"""Also an empty list means any: so an answer of the API can be sent back."""
Replicas = Annotated[int, Field(ge=0, le=MOST_REPLICAS)]


class TurnBody(BaseModel):
    """From each moment that `cron` names in `time_zone`, these bounds hold until another turn of the schedule."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [_A_TURN]})

    cron: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9*/,#?-]+( [A-Za-z0-9*/,#?-]+){4}$",
            max_length=100,
            description="Minute, hour, day of the month, month and day of the week, as in cron.",
        ),
    ]
    time_zone: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
            max_length=64,
            description="Of the IANA database, such as Europe/Paris.",
        ),
    ] = "UTC"
    min_replicas: Replicas
    max_replicas: Replicas


class RolloutBody(BaseModel):
    """How a new revision replaces the former.

    `surge`: so many replicas more than wanted at once. `settle`: for so many seconds a new replica must have been ready
    before an old one goes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [_A_ROLLOUT]})

    surge: Annotated[int, Field(ge=1, le=MOST_REPLICAS)] = Rollout().surge
    settle: Annotated[int, Field(ge=0, le=_A_YEAR)] = Rollout().settle


class ScaleBody(BaseModel):
    """How many replicas there are at least and at most. A field that is left out stays."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"min_replicas": 1, "max_replicas": 8}, {"max_replicas": 2}]},
    )

    min_replicas: Replicas | None = None
    max_replicas: Replicas | None = None


class DeploymentBody(LaunchBody):
    """What a deployment is to be. A field that is left out gets its default, whatever it was before.

    `zones` and `instance_types` are in order of preference, or the word "any". A change of what each replica is (model,
    task, provider, zones, types, volume, image, revision or options) is rolled out; any other takes effect at once.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_A_MODEL, A_DEPLOYMENT]})

    instance_types: Annotated[AnyTypes, BeforeValidator(listed, json_schema_input_type=AnyTypes | Literal["any"])] = (
        Field(default=[ANY])
    )
    min_replicas: Replicas = _DEFAULTS.min_replicas
    max_replicas: Replicas = _DEFAULTS.max_replicas
    target_in_flight: Annotated[
        float,
        Field(ge=0.01, le=100_000, allow_inf_nan=False, description="Requests in flight per replica to scale to."),
    ] = _DEFAULTS.target_in_flight
    scale_down_after: Annotated[
        int, Field(ge=0, le=_A_DAY, description="Seconds for which fewer replicas must have sufficed.")
    ] = _DEFAULTS.scale_down_after
    scale_to_zero_after: Annotated[
        Annotated[int, Field(ge=0, le=_A_DAY)] | None,
        Field(description="Seconds without a request after which the last replica goes; null: never."),
    ] = _DEFAULTS.scale_to_zero_after
    hold: Annotated[
        int,
        Field(ge=0, le=_A_YEAR, description="Seconds that a request waits for a cold start if its client did not say."),
    ] = _DEFAULTS.hold
    schedule: Annotated[list[TurnBody], Field(max_length=64)] = Field(
        default=[], description="Other bounds than min_replicas and max_replicas at times."
    )
    fallback: Annotated[
        ModelName | None,
        Field(description="The model or own offering that answers while no replica is ready. Default: none."),
    ] = None
    rollout: RolloutBody = RolloutBody()

    def replica(self) -> InstanceBody:
        """The body that asks for one of its replicas, as somebody would."""
        asked = self.model_dump(include={*LaunchBody.model_fields})
        return InstanceBody.model_validate(asked | {"instance_types": self.instance_types or [ANY]})


def deployment_wish(name: str, body: DeploymentBody, replica: Wish) -> DeploymentWish:
    """`replica` is the wish that its `replica()` becomes."""
    scaling = {field: getattr(body, field) for field in Scaling.model_fields.keys() - {"schedule"}}
    return DeploymentWish(
        name=name,
        organization_id=replica.organization_id,
        template=template_of(replica),
        scaling=Scaling(**scaling, schedule=tuple(Turn(**turn.model_dump()) for turn in body.schedule)),
        rollout=Rollout(**body.rollout.model_dump()),
    )


def template_of(replica: Wish) -> Template:
    return Template.model_validate(replica.model_dump(include={*Template.model_fields}))


def replica_body(wish: DeploymentWish, template: Template, ordinal: int) -> InstanceBody:
    """The body that asks for this replica; its organisation is left to whoever knows it."""
    asked = template.model_dump() | {"name": f"{wish.name}-{ordinal}"}
    return InstanceBody.model_validate(asked | {"instance_types": template.instance_types or [ANY]})
