"""The load of the last days by slots, in little memory. Pure."""

from array import array
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from shared.deployments.load import SLOT_S, Sample

DAYS: Final = 8
_SLOTS: Final = int(DAYS * 86_400 / SLOT_S)


class _Ring:
    """Mean and peak of each of the last slots, by the slot's number since 1970; zero where nothing is known."""

    __slots__ = ("_last", "_values")

    def __init__(self) -> None:
        self._last = 0
        self._values = array("f", bytes(2 * 4 * _SLOTS))

    def put(self, slot: int, mean: float, peak: float) -> None:
        if slot <= self._last - _SLOTS:
            return
        for passed in range(max(self._last + 1, slot - _SLOTS + 1), slot):
            self._set(passed, 0.0, 0.0)
        self._last = max(self._last, slot)
        self._set(slot, mean, peak)

    def get(self, slot: int) -> tuple[float, float]:
        if not self._last - _SLOTS < slot <= self._last:
            return 0.0, 0.0
        place = 2 * (slot % _SLOTS)
        return self._values[place], self._values[place + 1]

    def _set(self, slot: int, mean: float, peak: float) -> None:
        place = 2 * (slot % _SLOTS)
        self._values[place], self._values[place + 1] = mean, peak


class Past:
    """Of each deployment of which anything is known."""

    def __init__(self) -> None:
        self._rings: dict[UUID, _Ring] = {}

    def put(self, deployment_id: UUID, samples: Iterable[Sample]) -> None:
        ring = self._rings.setdefault(deployment_id, _Ring())
        for sample in samples:
            ring.put(_slot(sample.at), sample.mean, sample.peak)

    def forget(self, deployment_id: UUID) -> None:
        self._rings.pop(deployment_id, None)

    def between(self, deployment_id: UUID, begin: datetime, end: datetime) -> Iterator[Sample]:
        """The slots that overlap with this time and had load, oldest first."""
        ring = self._rings.get(deployment_id)
        if ring is None:
            return
        for slot in range(_slot(begin), _slot(end) + 1):
            mean, peak = ring.get(slot)
            if peak:
                yield Sample(at=_EPOCH + timedelta(seconds=slot * SLOT_S), mean=mean, peak=peak)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _slot(at: datetime) -> int:
    return int((at - _EPOCH).total_seconds() // SLOT_S)
