"""How good the estimates would have been: replays past launches, each seeing only launches that ended before."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Final, NamedTuple

from shared.eta.estimate import Estimate, estimate
from shared.eta.history import History
from shared.eta.launch import Launch
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from shared.lifecycle.wish import Findings, Wish

MOMENTS: Final = (1 / 3, 1 / 2, 2 / 3, 5 / 6)
"""Elapsed shares of a launch's duration at which estimates are made."""

_SHORTEST_S: Final = 0.001


class Score(NamedTuple):
    """The score of all launches at one moment. Errors are median relative errors of the p50.

    `held`: the share of launches that were ready by the p90.
    """

    moment: float
    launches: int
    error_of_total: float
    error_of_remaining: float
    held: float


def backtest(launches: Iterable[Launch], moments: Sequence[float] = MOMENTS) -> list[Score]:
    """One score for each moment; none without launches that took any time."""
    estimates: dict[float, list[tuple[Launch, Estimate, datetime]]] = {moment: [] for moment in moments}
    for launch, history in _with_their_past([launch for launch in launches if launch.seconds >= _SHORTEST_S]):
        for moment, cases in estimates.items():
            at = launch.began_at + moment * timedelta(seconds=launch.seconds)
            given = estimate(_under_way(launch, at), at, history)
            if given is not None:
                cases.append((launch, given, at))
    return [_score(moment, cases) for moment, cases in estimates.items() if cases]


class AfterChange(NamedTuple):
    """The launches that were the `number`-th of their model and type since a change; the last also those after it.

    `error`: the median relative error of the p50, estimated when each began.
    """

    number: int
    launches: int
    error: float


def after_change(launches: Sequence[Launch], changed: int, numbers: int = 8) -> list[AfterChange]:
    """How soon estimates follow a change of method, which was with launch number `changed` by their beginning."""
    errors: dict[int, list[float]] = defaultdict(list)
    seen: Counter[tuple[str | None, str]] = Counter()
    for launch, history in list(_with_their_past(launches))[changed:]:
        seen[kind := (launch.instance_type, launch.model)] += 1
        given = estimate(_under_way(launch, launch.began_at), launch.began_at, history)
        if given is not None:
            off = abs((given.ready_at_p50 - launch.ready_at).total_seconds())
            errors[min(seen[kind], numbers)].append(off / launch.seconds)
    return [AfterChange(number, len(several), median(several)) for number, several in sorted(errors.items())]


def _with_their_past(launches: Sequence[Launch]) -> Iterator[tuple[Launch, History]]:
    """Each launch with the history known when it began."""
    over = sorted(launches, key=lambda launch: launch.ready_at)
    known, history = 0, History()
    for launch in sorted(launches, key=lambda launch: launch.began_at):
        before = sum(1 for other in over[known:] if other.ready_at <= launch.began_at)
        if before:
            known += before
            history = History(over[:known])
        yield launch, history


def _under_way(launch: Launch, at: datetime) -> Instance:
    """The instance at that moment, with the fields that an estimate uses."""
    passed = (at - launch.began_at).total_seconds()
    percent, since = max((point for point in launch.reached if point[1] <= passed), default=launch.reached[0])
    return Instance(
        id=launch.instance_id,
        specification=Wish(name="", model=launch.model, provider=launch.provider),
        findings=Findings(),
        instance_type=launch.instance_type,
        status=Status.STARTING,
        progress_percent=percent,
        step="",
        attempt=launch.attempt,
        milestones=frozenset(),
        created_at=launch.began_at,
        attempt_started_at=launch.began_at,
        progress_since=launch.began_at + timedelta(seconds=since),
        status_since=at,
        updated_at=at,
    )


def _score(moment: float, cases: Sequence[tuple[Launch, Estimate, datetime]]) -> Score:
    errors = [abs((given.ready_at_p50 - launch.ready_at).total_seconds()) for launch, given, _ in cases]
    remaining = [(launch.ready_at - at).total_seconds() for launch, _, at in cases]
    return Score(
        moment=moment,
        launches=len(cases),
        error_of_total=median(error / launch.seconds for error, (launch, _, _) in zip(errors, cases, strict=True)),
        error_of_remaining=median(error / left for error, left in zip(errors, remaining, strict=True)),
        held=sum(launch.ready_at <= given.ready_at_p90 for launch, given, _ in cases) / len(cases),
    )
