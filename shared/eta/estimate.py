"""When an instance will be ready, as a pure function of its state, the moment and past launches."""

from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, field_serializer

from shared.eta.history import Basis, History
from shared.eta.launch import READY
from shared.eta.scenarios import Scenarios
from shared.eta.start import start_of
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.instance import Instance
from shared.lifecycle.progress import PROGRESS
from shared.lifecycle.status import STARTING_UP, Status

LAUNCHING: Final = STARTING_UP | {Status.PROVISIONING}
"""The statuses of an instance that is starting."""
SHARES: Final = (0.5, 0.9)
_LONGEST_S: Final = 366 * 86_400.0


class Estimate(BaseModel):
    """Remaining time and time of day: half of all launches are ready by the p50, 90 % by the p90.

    Only launches that become ready count.
    """

    model_config = ConfigDict(frozen=True)

    p50_seconds: float
    p90_seconds: float
    ready_at_p50: AwareDatetime
    ready_at_p90: AwareDatetime
    basis: Basis

    @field_serializer("p50_seconds", "p90_seconds")
    def _in_tenths(self, seconds: float) -> float:
        return round(seconds, 1)


def estimate(instance: Instance, at: datetime, history: History) -> Estimate | None:
    """None if the instance is ready, has failed, is ending, or is unavailable; and while anything holds it up.

    None as well while a machine image is made of it.

    Past launches do not say how long a delay lasts, so callers show what the instance waits for instead.
    """
    if instance.status not in LAUNCHING or instance.progress_percent >= READY or instance.delay is not None:
        return None
    specification = instance.specification
    if specification.builds_image:
        return None
    scenarios, basis = history.scenarios(
        provider=specification.provider,
        instance_type=type_of(instance),
        model=specification.model,
        attempt=instance.attempt,
        percent=instance.progress_percent,
        start=start_of(instance),
    )
    since = instance.progress_since or instance.updated_at
    passed = max((since - instance.attempt_started_at).total_seconds(), 0.0)
    return _estimate(scenarios, basis, passed, since, at)


def cold_start(history: History, *, provider: str, instance_type: str | None, model: str, at: datetime) -> Estimate:
    """Of a launch that is requested at `at`."""
    scenarios, basis = history.scenarios(
        provider=provider,
        instance_type=instance_type,
        model=model,
        attempt=1,
        percent=PROGRESS[InstanceRequested],
    )
    return _estimate(scenarios, basis, 0.0, at, at)


def _estimate(scenarios: Scenarios, basis: Basis, passed: float, since: datetime, at: datetime) -> Estimate:
    """`passed`: seconds from the attempt's beginning to `since`, when it came as far as it is."""
    waited = max((at - since).total_seconds(), 0.0)
    p50, p90 = (min(lasting, waited + _LONGEST_S) for lasting in scenarios.lasting(passed, waited, SHARES))
    began = min(since, at)
    return Estimate(
        p50_seconds=p50 - waited,
        p90_seconds=p90 - waited,
        ready_at_p50=began + timedelta(seconds=p50),
        ready_at_p90=began + timedelta(seconds=p90),
        basis=basis,
    )


def type_of(instance: Instance) -> str | None:
    """The type of its server, or its first choice."""
    return instance.instance_type or next(iter(instance.specification.instance_types), None)
