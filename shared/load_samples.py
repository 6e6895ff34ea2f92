"""The load over time, by samples of ten seconds, in little memory. Pure."""

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from shared.deployments.load import SAMPLE_S, Sample, begin_of

MOST_S: Final = 86_400.0
"""Nobody looks back further than this by samples."""
_ALL_S: Final = 3_600.0
"""The samples of all deployments are kept for so long: 9 kB of each that has load.

Older ones are kept of those deployments alone that have ever looked back further: 207 kB of a day.
"""
_ALL: Final = int(_ALL_S / SAMPLE_S)
_LEAST_HEARD: Final = 0.5
"""A sample of which less was heard is none."""
_NOTHING: Final = (0.0, 0.0, 0.0)


@dataclass
class _Adding:
    """What was added since `at`. `added` counts the times, also those at which a deployment had no load."""

    at: datetime
    added: int = 0
    unknown: bool = False
    sums: dict[UUID, float] = field(default_factory=dict)
    peaks: dict[UUID, float] = field(default_factory=dict)
    arriving: dict[UUID, float] = field(default_factory=dict)

    def add(self, loads: Mapping[UUID, float], arriving: Mapping[UUID, float]) -> None:
        self.added += 1
        for deployment_id, load in loads.items():
            self.sums[deployment_id] = self.sums.get(deployment_id, 0.0) + load
            self.peaks[deployment_id] = max(self.peaks.get(deployment_id, 0.0), load)

        for deployment_id, rate in arriving.items():
            self.arriving[deployment_id] = self.arriving.get(deployment_id, 0.0) + rate

    def sample(self, deployment_id: UUID) -> Sample:
        mean = self.sums.get(deployment_id, 0.0) / self.added
        arriving = self.arriving.get(deployment_id, 0.0) / self.added
        return Sample(at=self.at, mean=mean, peak=self.peaks.get(deployment_id, 0.0), arriving=arriving)


@dataclass(frozen=True)
class SamplePeriod:
    """Ten seconds that were heard."""

    at: datetime
    samples: Mapping[UUID, Sample]

    def of(self, deployment_id: UUID) -> Sample:
        return self.samples.get(deployment_id) or Sample(self.at, 0.0, 0.0, 0.0)


class _Ring:
    """Mean, peak and arrivals of one deployment in each of the last periods, by their number; zero without load."""

    __slots__ = ("_values", "last", "size")

    def __init__(self, size: int) -> None:
        self.size, self.last = size, -1
        self._values = array("d", bytes(8 * 3 * size))

    def of_size(self, size: int) -> "_Ring":
        """The same for so many periods."""
        ring = _Ring(size)
        for number in range(max(0, self.last - self.size + 1), self.last + 1):
            ring.put(number, self.get(number))
        return ring

    def put(self, number: int, figures: Sequence[float]) -> None:
        """Numbers rise."""
        for passed in range(max(self.last + 1, number - self.size + 1), number):
            self._set(passed, _NOTHING)
        self._set(number, figures)
        self.last = number

    def get(self, number: int) -> Sequence[float]:
        if not self.last - self.size < number <= self.last:
            return _NOTHING
        place = 3 * (number % self.size)
        return self._values[place : place + 3]

    def _set(self, number: int, figures: Sequence[float]) -> None:
        place = 3 * (number % self.size)
        self._values[place], self._values[place + 1], self._values[place + 2] = figures


class Samples:
    """Is told the load every `every_s` seconds, and keeps the samples of the last `most_s`."""

    def __init__(self, every_s: float, most_s: float = MOST_S) -> None:
        self._least = max(1, int(SAMPLE_S / every_s * _LEAST_HEARD))
        self._longest = int(most_s / SAMPLE_S)
        self._heard: deque[datetime] = deque(maxlen=self._longest)
        self._count = 0
        """Of the periods that were heard; the last one has the number below this."""
        self._rings: dict[UUID, _Ring] = {}
        self._far_sighted: dict[UUID, int] = {}
        """Since which period they look back further."""
        self._adding: _Adding | None = None

    def add(
        self, at: datetime, loads: Mapping[UUID, float] | None, arriving: Mapping[UUID, float]
    ) -> SamplePeriod | None:
        """The load of each deployment that has any, None if nobody told it; and how many requests arrive in a second.

        Returns the ten seconds that have ended with this, if they were heard.
        """
        begun, ended = begin_of(at, SAMPLE_S), None
        if self._adding is None or begun != self._adding.at:
            ended = self._ended()
            self._adding = _Adding(begun)
        if loads is None:
            self._adding.unknown = True
        else:
            self._adding.add(loads, arriving)
        return ended

    def recent(self, deployment_id: UUID, seconds: float) -> tuple[Sample, ...]:
        """The samples of so many seconds, oldest first. There is none where the load was not known."""
        if seconds > _ALL_S and deployment_id not in self._far_sighted:
            self._look_far(deployment_id)
        known_since = self._far_sighted.get(deployment_id, self._count - _ALL)
        many = min(int(seconds / SAMPLE_S) + 2, len(self._heard), self._count - known_since)
        begins = list(islice(reversed(self._heard), many))
        begins.reverse()
        ring = self._rings.get(deployment_id)
        if ring is None:
            return tuple(Sample(at, *_NOTHING) for at in begins)
        return tuple(Sample(at, *ring.get(number)) for number, at in enumerate(begins, self._count - many))

    def _look_far(self, deployment_id: UUID) -> None:
        self._far_sighted[deployment_id] = max(0, self._count - _ALL)
        if (ring := self._rings.get(deployment_id)) is not None:
            self._rings[deployment_id] = ring.of_size(self._longest)

    def _ended(self) -> SamplePeriod | None:
        adding = self._adding
        if adding is None or adding.unknown or adding.added < self._least:
            return None
        samples = {deployment_id: adding.sample(deployment_id) for deployment_id in adding.sums | adding.arriving}
        self._keep(adding.at, samples)
        return SamplePeriod(adding.at, samples)

    def _keep(self, at: datetime, samples: Mapping[UUID, Sample]) -> None:
        number = self._count
        for deployment_id, sample in samples.items():
            ring = self._rings.get(deployment_id)
            if ring is None:
                size = self._longest if deployment_id in self._far_sighted else min(_ALL, self._longest)
                ring = self._rings[deployment_id] = _Ring(size)
            ring.put(number, (sample.mean, sample.peak, sample.arriving or 0.0))
        self._rings = {of: ring for of, ring in self._rings.items() if ring.last > number - ring.size}
        self._heard.append(at)
        self._count += 1
