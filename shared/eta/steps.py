"""How long each step of a launch usually takes, from the same past launches as its estimate."""

from itertools import pairwise

from pydantic import BaseModel, ConfigDict

from shared.eta.estimate import SHARES
from shared.eta.history import Basis, History
from shared.eta.launch import READY, first_percent
from shared.eta.scenarios import HALF_LIFE, quantiles
from shared.eta.start import UNKNOWN, Start
from shared.lifecycle.progress import STEPS


class UsualStep(BaseModel):
    """The duration from `percent` to `until_percent`: p50 and p90 of the launches."""

    model_config = ConfigDict(frozen=True)
    percent: int
    until_percent: int
    label: str
    p50_seconds: float
    p90_seconds: float


class UsualSteps(BaseModel):
    """In the order of a launch; `basis` names the launches used."""

    model_config = ConfigDict(frozen=True)
    items: list[UsualStep]
    basis: Basis


def usual_steps(
    history: History, *, provider: str, instance_type: str | None, model: str, attempt: int, start: Start = UNKNOWN
) -> UsualSteps:
    launches, basis = history.alike(
        provider=provider, instance_type=instance_type, model=model, attempt=attempt, start=start
    )
    first = first_percent(attempt)
    weights = [0.5 ** (age / HALF_LIFE) for age in range(len(launches))]
    items = []
    for begin, end in pairwise((*(percent for percent in STEPS if percent >= first), READY)):
        spans = [launch.after(end) - launch.after(begin) for launch in launches]
        p50, p90 = quantiles(list(zip(spans, weights, strict=True)), SHARES)
        items.append(
            UsualStep(
                percent=begin,
                until_percent=end,
                label=STEPS[begin],
                p50_seconds=round(p50, 3),
                p90_seconds=round(p90, 3),
            )
        )
    return UsualSteps(items=items, basis=basis)
