"""The load of deployments, added up over the api processes that were heard lately. Keeps a bounded amount of it."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from shared.deployments.load import Lead
from shared.load import DeploymentLoad, LoadReport

FORGOTTEN_S: Final = 3.0
"""How long the last report of a process counts; of a part, how long after the last of any part of its process."""
WINDOW_S: Final = 5.0
"""Rates are of so many seconds."""
MOST_PROCESSES: Final = 256
MOST_DEPLOYMENTS: Final = 10_000
"""Of one process."""
_APART_S: Final = 0.5
"""Reports that follow each other sooner count as one point of a rate."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Heard:
    """Requests in flight and held now, and those that arrived, were refused and were served in a second.

    `lead` is the newest that a process has reported.
    """

    in_flight: int = 0
    held: int = 0
    arriving_per_s: float = 0.0
    refused_per_s: float = 0.0
    served_per_s: float = 0.0
    lead: Lead | None = None


class _Counts(NamedTuple):
    at: float
    arrived: int
    refused: int
    served: int


class _Reported:
    """What one process has told of one deployment: the last of it, in report `number`, and the counts before it.

    The first counts are the beginning: when they rose to that is not known.
    """

    __slots__ = ("load", "number", "points")

    def __init__(self) -> None:
        self.load = DeploymentLoad()
        self.number = 0
        self.points: deque[_Counts] = deque(maxlen=int(WINDOW_S / _APART_S) + 3)

    def tell(self, load: DeploymentLoad, number: int, at: float) -> None:
        self.load, self.number = load, number
        counts = _Counts(at, load.arrived, load.refused, load.served)
        if len(self.points) > 1 and at - self.points[-1].at < _APART_S:
            self.points[-1] = counts._replace(at=self.points[-1].at)
        else:
            self.points.append(counts)

    def rates(self, now: float, since: float) -> tuple[float, float, float]:
        """Of the window before `now`, or since `since` if that is later."""
        begin = max(now - WINDOW_S, since)
        before = next((point for point in reversed(self.points) if point.at <= begin), self.points[0])
        seconds, last = max(now - begin, _APART_S), self.points[-1]
        arrived, refused, served = (max(0, new - old) / seconds for new, old in zip(last[1:], before[1:], strict=True))
        return arrived, refused, served


@dataclass
class _Process:
    """Or a part of one. Its reports are counted from 1."""

    whole: UUID
    since: float
    at: float
    parts: int = 1
    reports: int = 0
    reported: dict[UUID, _Reported] = field(default_factory=dict)


class HeardLoad:
    """`on_held` is called with each deployment for which the first request is held, as soon as that is heard.

    `clock` is in seconds. `ignored` counts what was heard and is no report, or is of too many processes or deployments.
    """

    def __init__(
        self, on_held: Callable[[UUID], None] = lambda _: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._on_held = on_held
        self._clock = clock
        self._processes: dict[UUID, _Process] = {}
        self._heard_at: dict[UUID, float] = {}
        """By the whole process."""
        self._leads: dict[UUID, Lead] = {}
        self.ignored = 0

    @property
    def known(self) -> bool:
        """Whether any process was heard lately, and each of those in all its parts. Otherwise nobody knows the load."""
        lately = list(self._lately())
        oldest = self._clock() - FORGOTTEN_S
        parts = Counter(each.whole for each in lately if each.at >= oldest)
        return bool(lately) and all(parts[each.whole] >= each.parts for each in lately if each.parts > 1)

    def hear(self, data: bytes) -> None:
        """Take a message as it came. One that is no LoadReport changes nothing."""
        try:
            self._take(_report(data))
        except ValueError as error:
            self.ignored += 1
            log.warning("load report ignored", reason=str(error)[:200])

    def loads(self) -> dict[UUID, float]:
        """The requests in flight and held of each deployment that has any."""
        sums: dict[UUID, float] = {}
        for process in self._lately():
            for deployment_id, reported in process.reported.items():
                load = reported.load.in_flight + reported.load.held
                if load and reported.number == process.reports:
                    sums[deployment_id] = sums.get(deployment_id, 0.0) + load
        return sums

    def arriving(self) -> dict[UUID, float]:
        """How many requests arrive in a second, of each deployment for which any do."""
        sums: dict[UUID, float] = {}
        for process in self._lately():
            for deployment_id, reported in process.reported.items():
                if rate := reported.rates(process.at, process.since)[0]:
                    sums[deployment_id] = sums.get(deployment_id, 0.0) + rate
        return sums

    def of(self, deployment_id: UUID) -> Heard:
        """All zero for one of which nothing was heard."""
        in_flight = held = 0
        arriving = refused = served = 0.0
        for process in self._lately():
            reported = process.reported.get(deployment_id)
            if reported is None:
                continue
            if reported.number == process.reports:  # otherwise it was left out, since there is no load
                in_flight += reported.load.in_flight
                held += reported.load.held
            rates = reported.rates(process.at, process.since)
            arriving, refused, served = arriving + rates[0], refused + rates[1], served + rates[2]
        return Heard(in_flight, held, arriving, refused, served, self._leads.get(deployment_id))

    def _take(self, report: LoadReport) -> None:
        at = self._clock()
        process = self._process(report, at)
        begun = [
            deployment_id
            for deployment_id, load in report.deployments.items()
            if load.held and not self.of(deployment_id).held
        ]
        process.at = self._heard_at[process.whole] = at
        process.parts = report.parts
        process.reports += 1
        for deployment_id, load in report.deployments.items():
            self._tell(process, deployment_id, load)
        for deployment_id in begun:
            self._on_held(deployment_id)

    def _process(self, report: LoadReport, at: float) -> _Process:
        """Raises ValueError if there are too many."""
        self._heard_at = {whole: heard for whole, heard in self._heard_at.items() if at - heard <= FORGOTTEN_S}
        self._processes = {each: known for each, known in self._processes.items() if known.whole in self._heard_at}
        if report.process not in self._processes:
            if len(self._processes) >= MOST_PROCESSES:
                raise ValueError(f"more than {MOST_PROCESSES} processes")
            process = self._processes[report.process] = _Process(report.part_of or report.process, at, at)
            self._heard_at.setdefault(process.whole, at)
        return self._processes[report.process]

    def _tell(self, process: _Process, deployment_id: UUID, load: DeploymentLoad) -> None:
        """The one that was heard of longest ago makes room."""
        reported = process.reported.pop(deployment_id, None) or _Reported()
        if len(process.reported) >= MOST_DEPLOYMENTS:
            del process.reported[next(iter(process.reported))]
        process.reported[deployment_id] = reported
        reported.tell(load, process.reports, process.at)
        if load.lead is not None:
            self._leads.pop(deployment_id, None)
            if len(self._leads) >= MOST_DEPLOYMENTS:
                del self._leads[next(iter(self._leads))]
            self._leads[deployment_id] = load.lead

    def _lately(self) -> Iterator[_Process]:
        oldest = self._clock() - FORGOTTEN_S
        return (process for process in self._processes.values() if self._heard_at[process.whole] >= oldest)


def _report(data: bytes) -> LoadReport:
    """Raises ValueError."""
    report = LoadReport.model_validate_json(data)
    if len(report.deployments) > MOST_DEPLOYMENTS:
        raise ValueError(f"{len(report.deployments)} deployments")
    return report
