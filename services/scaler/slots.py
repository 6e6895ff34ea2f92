"""The load by slots of five minutes, as it is kept for forecasts and shown to people. Pure."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from uuid import UUID

from shared.deployments.load import SLOT_S, begin_of


@dataclass(frozen=True)
class SlotFigures:
    """Of some seconds: `mean` and `peak` of the requests in flight and held together, the others as means."""

    mean: float = 0.0
    peak: float = 0.0
    in_flight: float = 0.0
    held: float = 0.0
    refused_per_s: float = 0.0
    arriving_per_s: float = 0.0
    ready: float = 0.0


@dataclass(frozen=True)
class Slot:
    at: datetime
    figures: SlotFigures


class Slots:
    """Adds up figures of periods of the same length."""

    def __init__(self) -> None:
        self._at: datetime | None = None
        self._added = 0
        self._sums: dict[UUID, list[float]] = {}
        self._peaks: dict[UUID, float] = {}

    def add(self, at: datetime, figures: Mapping[UUID, SlotFigures]) -> list[tuple[UUID, Slot]]:
        """Returns the slots that ended before: of each deployment of which anything was told in them."""
        begin, finished = begin_of(at, SLOT_S), list[tuple[UUID, Slot]]()
        if begin != self._at:
            finished = self._finished()
            self._at, self._added, self._sums, self._peaks = begin, 0, {}, {}
        self._added += 1
        for deployment_id, each in figures.items():
            sums = self._sums.setdefault(deployment_id, [0.0] * len(fields(SlotFigures)))
            self._sums[deployment_id] = [total + figure for total, figure in zip(sums, astuple(each), strict=True)]
            self._peaks[deployment_id] = max(self._peaks.get(deployment_id, 0.0), each.peak)
        return finished

    def _finished(self) -> list[tuple[UUID, Slot]]:
        if self._at is None:
            return []
        found = []
        for deployment_id, sums in self._sums.items():
            mean, _, *others = (total / self._added for total in sums)
            found.append((deployment_id, Slot(self._at, SlotFigures(mean, self._peaks[deployment_id], *others))))
        return found
