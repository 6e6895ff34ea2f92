"""What the scaler would do for a deployment now, and why, in figures and words. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import assert_never
from uuid import UUID

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from shared.deployments.deployment import Deployment
from shared.deployments.desired import desired
from shared.deployments.events import ScalingFigures, ScalingReason
from shared.deployments.load import Bounds, Demand, Lead
from shared.deployments.plan import plan
from shared.deployments.situation import Situation
from shared.deployments.steps import Conclude, EndInstance, LaunchReplica, Step
from shared.lifecycle.instance import Instance


class ScalingExplanation(BaseModel):
    """`wanted` as it is, and `would_be` as it would be decided now; `steps` are the next ones, in words."""

    model_config = ConfigDict(frozen=True)
    wanted: NonNegativeInt
    would_be: NonNegativeInt
    ready: NonNegativeInt
    reason: ScalingReason
    message: str
    figures: ScalingFigures
    steps: tuple[str, ...]


def explain(  # noqa: PLR0917 - as `plan`
    deployment: Deployment,
    instances: Mapping[UUID, Instance],
    demand: Demand,
    lead: Lead,
    bounds: Sequence[Bounds],
    now: datetime,
) -> ScalingExplanation:
    """Takes what `plan` takes."""
    situation = Situation(deployment, instances, demand, lead, bounds, now)
    wanted = desired(situation)
    return ScalingExplanation(
        wanted=deployment.wanted,
        would_be=wanted.replicas,
        ready=situation.ready,
        reason=wanted.reason,
        message=wanted.message,
        figures=wanted.figures,
        steps=tuple(_in_words(deployment, step) for step in plan(deployment, instances, demand, lead, bounds, now)),
    )


def _in_words(deployment: Deployment, step: Step) -> str:
    match step:
        case Conclude(event=event):
            return f"record {event.type()}"
        case LaunchReplica(replica=replica):
            return f"launch replica {replica.ordinal}, generation {replica.generation}"
        case EndInstance(instance_id=instance_id):
            ordinal = next((each.ordinal for each in deployment.replicas if each.instance_id == instance_id), "?")
            return f"drain replica {ordinal}"
        case _:
            assert_never(step)
