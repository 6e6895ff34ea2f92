"""A launch that became ready, as far as estimates care: when it came how far, and what it was of."""

from bisect import bisect_left
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shared.lifecycle import events as e
from shared.lifecycle.events import MODEL_LOAD, PHASES
from shared.lifecycle.progress import PROGRESS, REINSTALL

READY: Final = PROGRESS[e.InstanceReady]
_LOAD_STRIDE: Final = 6
MILESTONES: Final = sorted({*PROGRESS.values(), *PHASES, *MODEL_LOAD[::_LOAD_STRIDE]})
"""The percentages between which time is told: every step's, every install phase's, and a few of the model's load."""

Percent = Annotated[int, Field(ge=0, le=READY)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Launch(BaseModel):
    """`reached`: each percentage that the attempt showed, rising to ready's, and the seconds from its beginning."""

    model_config = ConfigDict(frozen=True)

    instance_id: UUID
    attempt: Annotated[int, Field(ge=1)]
    provider: str
    instance_type: str | None
    model: str
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
    def seconds(self) -> float:
        """From its beginning to ready."""
        return self.reached[-1][1]

    @property
    def began_at(self) -> datetime:
        return self.ready_at - timedelta(seconds=self.seconds)

    def after(self, percent: int) -> float:
        """Seconds from its beginning until it was seen to be at least so far."""
        return self.reached[bisect_left(self.reached, (percent, 0.0))][1]

    def at(self, percent: int) -> float:
        """Seconds from its beginning to this percentage; to one that it never showed, evenly between its neighbours."""
        index = bisect_left(self.reached, (percent, 0.0))
        there, seconds = self.reached[index]
        if there == percent or index == 0:
            return seconds
        before, since = self.reached[index - 1]
        return since + (seconds - since) * (percent - before) / (there - before)


def first_percent(attempt: int) -> int:
    """Where an attempt begins: one after the first has its machine already."""
    return PROGRESS[e.InstanceRequested] if attempt == 1 else REINSTALL
