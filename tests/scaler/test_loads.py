"""What a deployment's holder is told of the load, and what it may look back at."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from services.scaler.load_history import LoadHistory
from services.scaler.loads import Loads
from services.scaler.past import Past
from services.scaler.slots import Slot
from shared.deployments.load import Lead, Sample
from shared.deployments.wish import Scaling
from shared.load import DeploymentLoad, LoadReport
from shared.postgres.connection import connecting

ONE, OTHER = uuid4(), uuid4()
PROCESS = uuid4()
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@dataclass
class Listener:
    loads: list[float] = field(default_factory=list)
    ready: int = 1

    def heard(self, load: float) -> None:
        self.loads.append(load)


def a_report(process: UUID = PROCESS, **load: int) -> bytes:
    deployments = {ONE: DeploymentLoad(**load)} if load else {}
    return LoadReport(process=process, at=NOW, deployments=deployments).model_dump_json().encode()


class Table(LoadHistory):
    """Keeps what it is asked, and forgets nothing but on demand."""

    def __init__(self, past: Past) -> None:
        super().__init__(lambda: connecting("postgresql:///none", name="test"), past, 8)
        self.asked: list[UUID] = []
        self.forgotten: list[UUID] = []
        self.written: list[tuple[UUID, Slot]] = []

    def read(self, deployment_id: UUID) -> None:
        self.asked.append(deployment_id)

    def forget(self, deployment_id: UUID) -> None:
        self.forgotten.append(deployment_id)

    def write(self, slots: Iterable[tuple[UUID, Slot]]) -> None:
        self.written.extend(slots)


def some_loads(past: Past | None = None, table: Table | None = None) -> Loads:
    known = past or Past()
    return Loads(table or Table(known), known)


def told(loads: Loads, seconds: int, begin: datetime = NOW) -> datetime:
    """What was heard goes on for so long; the end of that."""
    for second in range(seconds):
        loads.tick(begin + timedelta(seconds=second))
    return begin + timedelta(seconds=seconds)


def test_the_first_held_request_is_told_at_once_and_the_end_of_the_load_once() -> None:
    loads, listener = some_loads(), Listener()
    with loads.listening(ONE, listener):
        loads.hear(a_report(held=1))
        assert listener.loads == [1]
        loads.tick(NOW)
        loads.hear(a_report())
        loads.tick(NOW + timedelta(seconds=1))
        loads.tick(NOW + timedelta(seconds=2))
    assert listener.loads == [1, 1, 0]


def test_the_demand_is_added_up_over_the_apis() -> None:
    loads = some_loads()
    assert not loads.demand(ONE, Scaling(), Lead(), NOW).known
    loads.hear(a_report(in_flight=3, held=1))
    loads.hear(a_report(uuid4(), in_flight=2))
    demand = loads.demand(ONE, Scaling(), Lead(), NOW)
    assert (demand.known, demand.in_flight, demand.held) == (True, 5, 1)


def test_a_forecast_sees_the_same_time_of_the_days_before_and_nothing_else() -> None:
    past = Past()
    seen = [NOW - timedelta(days=7), NOW - timedelta(days=1, minutes=-5), NOW - timedelta(minutes=10)]
    for at in (*seen, NOW - timedelta(days=3, hours=8), NOW - timedelta(hours=8)):
        past.put(ONE, [Sample(at=at, mean=2, peak=4)])
    history = some_loads(past).demand(ONE, Scaling(), Lead(), NOW).history
    assert [sample.at for sample in history] == seen


def test_a_slot_that_has_ended_is_written_and_known_at_once_if_anything_was_there() -> None:
    past = Past()
    table = Table(past)
    loads, none_ready = some_loads(past, table), Listener(ready=0)
    with loads.listening(ONE, Listener(ready=2)), loads.listening(OTHER, none_ready):
        loads.hear(a_report(in_flight=3))
        end = told(loads, 600)
    assert {(of, slot.at, slot.figures.mean, slot.figures.ready) for of, slot in table.written} == {(ONE, NOW, 3, 2)}
    assert [sample.at for sample in past.between(ONE, NOW, end)] == [NOW]
    assert (table.asked, table.forgotten) == ([ONE, OTHER], [OTHER, ONE])


def test_a_listener_that_another_one_has_followed_takes_nothing_with_it() -> None:
    table, second = Table(Past()), Listener()
    loads = some_loads(table=table)
    with ExitStack() as later:
        with loads.listening(ONE, Listener()):
            later.enter_context(loads.listening(ONE, second))
        loads.hear(a_report(held=1))
        assert (second.loads, table.forgotten) == ([1], [])
    assert table.forgotten == [ONE]


def test_time_in_which_no_api_was_heard_is_not_known_to_be_quiet() -> None:
    loads = some_loads()
    with loads.listening(ONE, Listener()):
        end = told(loads, 60)
        assert loads.demand(ONE, Scaling(), Lead(), end).recent == ()
        loads.hear(a_report())
        end = told(loads, 60, end)
        assert loads.demand(ONE, Scaling(), Lead(), end).recent != ()


def test_it_looks_back_as_far_as_idleness_takes_and_without_it_less() -> None:
    loads = some_loads()
    with loads.listening(ONE, Listener()):
        loads.hear(a_report(in_flight=1))
        end = told(loads, 3600)
        to_zero, never = (
            loads.demand(ONE, Scaling(scale_down_after=60, scale_to_zero_after=after), Lead(), end).recent
            for after in (3000, None)
        )
    assert end - to_zero[0].at >= timedelta(seconds=3000)
    assert end - never[0].at < timedelta(seconds=3000)


def test_the_time_of_a_launch_is_the_one_that_an_api_tells() -> None:
    loads, lead = some_loads(), Lead(p50_s=42, p90_s=84)
    assert loads.lead(ONE) == Lead()
    loads.hear(
        LoadReport(process=PROCESS, at=NOW, deployments={ONE: DeploymentLoad(lead=lead)}).model_dump_json().encode()
    )
    assert loads.lead(ONE) == lead
