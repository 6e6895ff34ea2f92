"""A launch that became ready, with what estimates need: its model and type, and when it reached each percentage."""

from bisect import bisect_left
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shared.eta.start import Start, Weights
from shared.lifecycle import events as e
from shared.lifecycle.events import MODEL_LOAD, PHASES
from shared.lifecycle.progress import PROGRESS, REINSTALL

READY: Final = PROGRESS[e.InstanceReady]
_LOAD_STRIDE: Final = 6
MILESTONES: Final = sorted({*PROGRESS.values(), *PHASES, *MODEL_LOAD[::_LOAD_STRIDE]})
"""The percentages at which times are recorded: every step, every install phase, and a few of the model's load."""

Percent = Annotated[int, Field(ge=0, le=READY)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Launch(BaseModel):
    """`reached` maps each percentage that the attempt showed, in rising order, to seconds since its beginning.

    `machine_image`: its machine began with one. `weights`: the install fetched the model (`cold`), found all of it on
    the machine (`warm`), or left it to the `worker`.
    """

    model_config = ConfigDict(frozen=True)

    instance_id: UUID
    attempt: Annotated[int, Field(ge=1)]
    provider: str
    instance_type: str | None
    model: str
    machine_image: bool = False
    weights: Weights = "worker"
    ready_at: AwareDatetime
    reached: tuple[tuple[Percent, Seconds], ...]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.reached or self.reached[-1][0] != READY:
            raise ValueError("it did not become ready")
        if any(after[0] <= before[0] or after[1] < before[1] for before, after in pairwise(self.reached)):
            raise ValueError("percentages and seconds only rise")
        return self

    @property
    def start(self) -> Start:
        return Start(self.machine_image, self.weights)

    @property
    def seconds(self) -> float:
        """Seconds from its beginning to ready."""
        return self.reached[-1][1]

    @property
    def began_at(self) -> datetime:
        return self.ready_at - timedelta(seconds=self.seconds)

    def after(self, percent: int) -> float:
        """Seconds from its beginning until it showed at least this percentage."""
        return self.reached[bisect_left(self.reached, (percent, 0.0))][1]

    def at(self, percent: int) -> float:
        """Seconds from its beginning to this percentage; interpolated if it never showed it."""
        index = bisect_left(self.reached, (percent, 0.0))
        there, seconds = self.reached[index]
        if there == percent or index == 0:
            return seconds
        before, since = self.reached[index - 1]
        return since + (seconds - since) * (percent - before) / (there - before)


def first_percent(attempt: int) -> int:
    """Where an attempt begins: later attempts already have their machine."""
    return PROGRESS[e.InstanceRequested] if attempt == 1 else REINSTALL
