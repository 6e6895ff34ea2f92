"""What is known of a deployment's load, as the decisions take it. Pure; `shared.load` is how the apis tell it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeInt

SAMPLE_S: Final = 10.0
"""The length of a recent sample."""
SLOT_S: Final = 300.0
"""The length of a slot of the history."""
LONGEST_LEAD_S: Final = 604_800.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def begin_of(at: datetime, length_s: float) -> datetime:
    """Of the sample or slot that `at` is in: the same in every process."""
    return at - timedelta(seconds=(at - _EPOCH).total_seconds() % length_s)


class Sample(NamedTuple):
    """Of SAMPLE_S or SLOT_S seconds from `at`: the mean and the peak of the requests in flight and held.

    `arriving`: how many arrived in a second; None if nobody counted.
    """

    at: datetime
    mean: float
    peak: float
    arriving: float | None = None


@dataclass(frozen=True)
class Demand:
    """What was heard.

    `known`: an api was heard lately. `recent` has a sample for each SAMPLE_S that was heard, oldest first, without
    gaps only if the scaler heard all; `history` the slots of the last eight days, as far as they are kept, oldest
    first: one that is missing had no load.
    """

    known: bool = False
    in_flight: float = 0.0
    held: float = 0.0
    arriving_per_s: float = 0.0
    recent: tuple[Sample, ...] = ()
    history: tuple[Sample, ...] = ()


class Lead(BaseModel):
    """Seconds from an order to ready, by past launches like it."""

    model_config = ConfigDict(frozen=True)
    p50_s: float = Field(default=600.0, ge=0, le=LONGEST_LEAD_S)
    p90_s: float = Field(default=1_200.0, ge=0, le=LONGEST_LEAD_S)


class Bounds(BaseModel):
    """From `since` on (None: always), so many replicas at least and at most."""

    model_config = ConfigDict(frozen=True)
    min_replicas: NonNegativeInt
    max_replicas: NonNegativeInt
    since: AwareDatetime | None = None
