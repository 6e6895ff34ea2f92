"""What the api processes tell of the load is added up, for as long as they are heard."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from shared import load_heard
from shared.deployments.load import Lead
from shared.load import MOST_IN_A_REPORT, DeploymentLoad, LoadReport
from shared.load_heard import FORGOTTEN_S, WINDOW_S, Heard, HeardLoad

A, B = UUID(int=10), UUID(int=11)
"""Two deployments."""


class Listening:
    """A HeardLoad whose time goes on only when the test says so; `woken` are those for which it called back."""

    def __init__(self) -> None:
        self.now = 100.0
        self.woken: list[UUID] = []
        self.load = HeardLoad(self.woken.append, clock=lambda: self.now)

    def hears(self, *, process: int = 1, **of: Any) -> None:
        """A report about the deployment A, or about none without its load."""
        self.hears_of({A: of} if of else {}, process=process)

    def hears_of(self, deployments: dict[UUID, Any], *, process: int = 1, **more: Any) -> None:
        loads = {deployment: DeploymentLoad(**load) for deployment, load in deployments.items()}
        at = datetime(2026, 11, 30, tzinfo=UTC)
        report = LoadReport(process=UUID(int=process), at=at, deployments=loads, **more)
        self.load.hear(report.model_dump_json().encode())

    def hears_part(self, number: int, deployments: dict[UUID, Any], *, of: int = 2) -> None:
        """A part of what the process 1 tells; its first part is called as the process."""
        self.hears_of(deployments, process=number, part_of=UUID(int=1), parts=of)

    def for_seconds(self, seconds: int, **a_second: int) -> None:
        """A report each second, in which the counts have risen by so much."""
        for second in range(1, seconds + 1):
            self.now += 1
            self.hears(**{name: second * count for name, count in a_second.items()})

    @property
    def a(self) -> Heard:
        return self.load.of(A)


def test_what_the_processes_tell_is_added_up() -> None:
    listening = Listening()
    listening.hears(process=1, in_flight=2, held=1)
    listening.hears(process=2, in_flight=3, held=4)
    assert (listening.a.in_flight, listening.a.held) == (5, 5)
    assert listening.load.of(B) == Heard()


def test_the_newest_report_of_a_process_replaces_the_one_before() -> None:
    listening = Listening()
    listening.hears(in_flight=5)
    listening.hears(in_flight=2)
    assert listening.a.in_flight == 2


def test_a_deployment_that_is_left_out_has_nothing_in_flight_any_more() -> None:
    listening = Listening()
    listening.hears(in_flight=5, held=1)
    listening.hears()
    assert (listening.a.in_flight, listening.a.held) == (0, 0)


def test_a_process_that_falls_silent_is_forgotten_and_without_any_nothing_is_known() -> None:
    listening = Listening()
    assert not listening.load.known
    listening.hears(in_flight=5)
    listening.now += FORGOTTEN_S
    assert listening.load.known
    assert listening.a.in_flight == 5
    listening.now += 0.1
    assert not listening.load.known
    assert listening.a.in_flight == 0


def test_rates_are_of_the_last_seconds() -> None:
    listening = Listening()
    listening.hears(arrived=0)
    listening.for_seconds(20, arrived=10, refused=2, served=8)
    assert (listening.a.arriving_per_s, listening.a.refused_per_s, listening.a.served_per_s) == (10, 2, 8)


def test_rates_fall_to_nothing_while_a_deployment_is_left_out() -> None:
    listening = Listening()
    listening.hears(arrived=0)
    listening.for_seconds(5, arrived=10)
    listening.for_seconds(2)
    assert listening.a.arriving_per_s == 10 * (WINDOW_S - 2) / WINDOW_S
    listening.for_seconds(4)
    assert listening.a.arriving_per_s == 0


def test_what_a_process_had_counted_before_it_was_heard_did_not_just_arrive() -> None:
    listening = Listening()
    listening.hears(arrived=1_000_000)
    listening.now += 1
    listening.hears(arrived=1_000_001)
    assert listening.a.arriving_per_s == 1


def test_counts_that_fall_are_no_negative_rate() -> None:
    listening = Listening()
    listening.hears(arrived=50)
    listening.now += 1
    listening.hears(arrived=0)
    assert listening.a.arriving_per_s == 0


def test_many_reports_in_a_moment_keep_the_rate_of_the_whole_window() -> None:
    listening = Listening()
    for step in range(1_001):
        listening.hears(arrived=step)
        listening.now += 0.01
    assert listening.a.arriving_per_s == pytest.approx(100, rel=0.15)


def test_whoever_waits_for_it_is_told_at_once_of_the_first_held_request_and_only_of_that() -> None:
    listening = Listening()
    listening.hears(in_flight=1)
    assert listening.woken == []
    listening.hears(held=1)
    assert listening.woken == [A]
    listening.hears(held=200)
    listening.hears(held=3, process=2)
    assert listening.woken == [A]
    listening.hears()
    listening.hears(process=2)
    listening.hears(held=1)
    assert listening.woken == [A, A]


def test_who_is_called_back_sees_what_is_held() -> None:
    seen = []
    load = HeardLoad(lambda deployment: seen.append(load.of(deployment).held))
    report = LoadReport(process=A, at=datetime(2026, 11, 30, tzinfo=UTC), deployments={A: DeploymentLoad(held=7)})
    load.hear(report.model_dump_json().encode())
    assert seen == [7]


def test_the_newest_lead_counts_and_outlasts_the_process_that_told_it() -> None:
    listening = Listening()
    listening.hears(lead=Lead(p50_s=100, p90_s=200))
    listening.hears(lead=Lead(p50_s=50, p90_s=90), process=2)
    listening.hears(in_flight=1)
    listening.now += 2 * FORGOTTEN_S
    assert listening.a == Heard(lead=Lead(p50_s=50, p90_s=90))


def of_a(told: str) -> bytes:
    at, process = "2026-11-30T00:00:00Z", UUID(int=1)
    return f'{{"process": "{process}", "at": "{at}", "deployments": {{"{A}": {told}}}}}'.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b'{"process": 1}',
        of_a(f'{{"in_flight": 1{"0" * 400}}}'),
        of_a('{"lead": {"p50_s": 1e400}}'),
        of_a('{"lead": {"p90_s": 1e300}}'),
        of_a('{"lead": {"p90_s": NaN}}'),
    ],
)
def test_what_is_no_report_is_counted_and_changes_nothing(data: bytes) -> None:
    listening = Listening()
    listening.hears(in_flight=5)
    listening.load.hear(data)
    assert (listening.load.ignored, listening.a.in_flight) == (1, 5)


def test_it_keeps_no_more_than_so_many_processes_and_deployments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_heard, "MOST_PROCESSES", 2)
    monkeypatch.setattr(load_heard, "MOST_DEPLOYMENTS", 1)
    listening = Listening()
    for process in (1, 2, 3):
        listening.hears(process=process, in_flight=1)
    assert (listening.a.in_flight, listening.load.ignored) == (2, 1)
    listening.hears_of({A: {}, B: {}})
    assert listening.load.ignored == 2
    listening.hears_of({B: {"in_flight": 4, "lead": Lead()}})
    listening.now += FORGOTTEN_S + 1
    listening.hears(process=3, in_flight=1, lead=Lead())
    assert (listening.a.in_flight, listening.load.ignored) == (1, 2), "those that are silent make room"
    assert listening.load.of(B).lead is None


def test_of_a_process_that_tells_of_too_many_it_forgets_what_was_told_longest_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load_heard, "MOST_DEPLOYMENTS", 1)
    listening = Listening()
    listening.hears(arrived=1)
    listening.hears_of({B: {"in_flight": 2}})
    listening.now += 1
    listening.hears(arrived=100)
    assert listening.a.arriving_per_s == 0


def test_how_many_arrive_is_added_up_for_each_deployment() -> None:
    listening = Listening()
    for arrived in (0, 5):
        listening.hears_of({A: {"arrived": arrived}, B: {"in_flight": 1}}, process=1)
        listening.hears(process=2, arrived=arrived)
        listening.now += 1
    assert listening.load.arriving() == {A: listening.a.arriving_per_s}
    assert listening.a.arriving_per_s > 0


def test_who_has_any_load_is_listed_with_all_of_it() -> None:
    listening = Listening()
    listening.hears_of({A: {"in_flight": 2, "held": 1}, B: {"in_flight": 0}}, process=1)
    listening.hears(process=2, in_flight=3)
    assert listening.load.loads() == {A: 6.0}
    listening.hears(process=1)
    assert listening.load.loads() == {A: 3.0}
    listening.now += FORGOTTEN_S + 1
    assert listening.load.loads() == {}


def test_the_parts_of_a_process_are_added_up() -> None:
    listening = Listening()
    listening.hears_part(1, {A: {"in_flight": 2}})
    listening.hears_part(2, {B: {"in_flight": 3}})
    assert listening.load.loads() == {A: 2.0, B: 3.0}
    listening.hears_part(1, {})
    assert listening.load.loads() == {B: 3.0}
    listening.hears(process=9, in_flight=4)
    assert (listening.load.loads(), listening.load.known) == ({A: 4.0, B: 3.0}, True)


def test_while_a_part_is_missing_nobody_knows_the_load_and_what_it_told_last_counts() -> None:
    listening = Listening()
    listening.hears_part(1, {A: {"in_flight": 2}})
    assert not listening.load.known, "the other part was not heard yet"
    listening.hears_part(2, {B: {"in_flight": 3}})
    assert listening.load.known
    listening.now += FORGOTTEN_S
    listening.hears_part(1, {A: {"in_flight": 2}})
    assert listening.load.known, "it may still come"
    listening.now += 0.1
    assert (listening.load.known, listening.load.loads()) == (False, {A: 2.0, B: 3.0})
    listening.hears_part(2, {})
    assert (listening.load.known, listening.load.loads()) == (True, {A: 2.0})


def test_a_process_whose_parts_all_fall_silent_is_forgotten_as_any_other() -> None:
    listening = Listening()
    listening.hears_part(1, {A: {"in_flight": 2}})
    listening.hears_part(2, {B: {"in_flight": 3}})
    listening.now += FORGOTTEN_S + 0.1
    listening.hears(process=9, in_flight=1)
    assert (listening.load.known, listening.load.loads()) == (True, {A: 1.0})


def test_a_process_that_begins_to_tell_in_parts_counts_once() -> None:
    listening = Listening()
    listening.hears_of({A: {"in_flight": 2}})
    listening.hears_part(1, {A: {"in_flight": 2}})
    listening.hears_part(2, {B: {"in_flight": 3}})
    assert (listening.load.known, listening.load.loads()) == (True, {A: 2.0, B: 3.0})


def test_as_many_deployments_as_a_report_may_have_fit_into_a_message_however_high_their_counts() -> None:
    most, lead = 2**53, Lead(p50_s=604_799.1234567891, p90_s=604_799.1234567891)
    load = DeploymentLoad(in_flight=most, held=most, arrived=most, refused=most, served=most, lead=lead)
    of, now = UUID(int=2**128 - 1), datetime(2026, 11, 30, 12, 0, 0, 123456, tzinfo=UTC)
    deployments = {UUID(int=2**127 + number): load for number in range(MOST_IN_A_REPORT)}
    report = LoadReport(process=of, part_of=of, parts=100, at=now, deployments=deployments)
    assert len(report.model_dump_json(exclude_defaults=True)) < 1_048_576
