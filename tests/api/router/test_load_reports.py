"""The load of deployments, as an api process tells it."""

import asyncio
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.api.router import load_reports
from services.api.router.load_counts import CALL_S, UNHEARD_S
from services.api.router.load_reports import REPEATED, publish
from shared.deployments.deployment import Deployment
from shared.deployments.events import deployment_id
from shared.load import DeploymentLoad, LoadReport
from shared.load_heard import HeardLoad
from tests.api.deployments import examples as x
from tests.api.deployments.examples import a_deployment, after
from tests.api.router.desk import Desk, replica_of

CHAT = a_deployment()
LONG_S = 3600.0


def told(desk: Desk, deployment: Deployment = CHAT) -> DeploymentLoad:
    """What the next report says of it; nothing if it is left out."""
    (report,) = desk.reports.next()
    return report.deployments.get(deployment.id, DeploymentLoad())


def a_desk(*others: Deployment) -> Desk:
    """One that has told already what it knows."""
    desk = Desk()
    desk.knows(CHAT, *others)
    return desk


class Published:
    """What was published, each report as it came; it may `fail` first."""

    def __init__(self, *, fail: int = 0) -> None:
        self.reports: asyncio.Queue[LoadReport] = asyncio.Queue()
        self._fail = fail

    async def publish(self, data: bytes) -> None:
        if self._fail:
            self._fail -= 1
            raise NatsError
        self.reports.put_nowait(LoadReport.model_validate_json(data))

    async def next(self) -> LoadReport:
        async with asyncio.timeout(120):
            return await self.reports.get()


def test_nothing_is_told_while_nothing_is_deployed() -> None:
    desk = Desk()
    assert desk.reports.next() == []
    desk.knows(after(CHAT, x.deleted()))
    assert desk.reports.next() == []


def test_a_request_on_a_replica_is_in_flight_for_its_deployment_and_has_arrived() -> None:
    desk, instance = a_desk(), replica_of(CHAT)
    desk.knows(instance)
    desk.balance.begun(instance.id)
    desk.balance.begun(uuid4())
    load = told(desk)
    assert (load.in_flight, load.arrived, load.served) == (1, 1, 0)
    desk.balance.ended(instance.id)
    desk.counts.answered[instance.id] += 1
    load = told(desk)
    assert (load.in_flight, load.arrived, load.served) == (0, 1, 1)


def test_requests_are_counted_since_the_process_began_also_after_their_replica_has_gone() -> None:
    desk, instance = a_desk(), replica_of(CHAT)
    desk.knows(instance)
    desk.counts.answered[instance.id] += 2
    assert told(desk).served == 2
    desk.table.replace([])
    desk.counts.refused[CHAT.id] += 1
    load = told(desk)
    assert (load.served, load.refused, load.arrived) == (2, 1, 3)


def test_a_held_request_counts_for_one_deployment_at_a_time() -> None:
    other = a_deployment("other")
    desk = a_desk(other)
    with desk.counts.holding() as hold:
        hold.on(CHAT.id)
        hold.on(CHAT.id)
        load = told(desk)
        assert (load.held, load.arrived) == (1, 1)
        hold.on(other.id)
        assert (told(desk).held, told(desk, other).held) == (0, 1)
        hold.on(None)
        assert told(desk, other).held == 0
        hold.on(other.id)
    assert told(desk, other).held == 0
    assert hold.last == other.id


def test_a_request_that_does_not_wait_counts_as_a_held_one_until_somebody_must_have_heard_it() -> None:
    desk = a_desk()
    desk.counts.call(CHAT.id)
    load = told(desk)
    assert (load.held, load.arrived) == (1, 0)
    desk.now += UNHEARD_S
    assert told(desk).held == 1
    desk.knows(after(CHAT, x.scaled()))
    assert told(desk).held == 0
    desk.counts.call(CHAT.id)
    desk.now += CALL_S
    assert told(desk).held == 1, "it is wanted, but there may be more such requests"
    desk.now += 0.1
    assert told(desk).held == 0


def test_it_does_not_count_twice_beside_one_that_waits() -> None:
    desk = a_desk()
    with desk.counts.holding() as hold:
        hold.on(CHAT.id)
        desk.counts.call(CHAT.id)
        assert told(desk).held == 1


def test_a_deployment_without_load_is_told_of_when_it_changes_and_now_and_then_for_its_lead() -> None:
    desk = a_desk(a_deployment("other"))
    reports = [report for _ in range(2 * REPEATED) for report in desk.reports.next()]
    of_chat = [report.deployments[CHAT.id] for report in reports if CHAT.id in report.deployments]
    assert len(of_chat) == 2
    assert of_chat[0].lead is not None
    assert of_chat[0].lead.p50_s > 60
    desk.counts.refused[CHAT.id] += 1
    assert told(desk).refused == 1


def test_the_processes_differ() -> None:
    reports = [report for _ in range(2) for report in a_desk().reports.next()]
    assert len({report.process for report in reports}) == 2


def test_what_is_too_long_for_a_message_is_told_in_parts_and_each_deployment_always_in_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load_reports, "MOST_IN_A_REPORT", 2)
    desk = a_desk(a_deployment("other"))
    (whole,) = desk.reports.next()
    assert (whole.part_of, whole.parts) == (None, 1)
    third = a_deployment("third")
    desk.knows(third)
    desk.counts.refused.update([CHAT.id, third.id])
    first, second = desk.reports.next()
    assert [set(each.deployments) for each in (first, second)] == [{CHAT.id}, {third.id}]
    assert (first.process, first.part_of, second.part_of) == (whole.process,) * 3
    assert second.process != first.process
    assert first.parts == second.parts == 2
    desk.knows(after(CHAT, x.deleted()), a_deployment("fourth"))
    desk.counts.refused.update([third.id, deployment_id("fourth", None)])
    first, second = desk.reports.next()
    assert [set(each.deployments) for each in (first, second)] == [{deployment_id("fourth", None)}, {third.id}]
    desk.knows(after(third, x.deleted()))
    assert len(desk.reports.next()) == 2, "a part that is told no more would count as lost"


def test_a_listener_of_a_former_version_adds_the_parts_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_reports, "MOST_IN_A_REPORT", 1)
    other = a_deployment("other")
    desk, listener = a_desk(other), HeardLoad()
    desk.counts.refused.update([CHAT.id, other.id])
    with desk.counts.holding() as one, desk.counts.holding() as two:
        one.on(CHAT.id)
        two.on(other.id)
        for report in desk.reports.next():
            listener.hear(report.model_dump_json(exclude={"part_of", "parts"}).encode())
    assert listener.loads() == {CHAT.id: 1.0, other.id: 1.0}


@pytest.mark.parametrize("waits", [True, False])
async def test_whoever_begins_to_wait_is_told_of_at_once_and_once(waits: bool) -> None:
    desk, published = a_desk(), Published()
    running = asyncio.create_task(desk.reports.run(published.publish, interval_s=LONG_S))
    assert CHAT.id not in (await published.next()).deployments
    if waits:
        with desk.counts.holding() as first, desk.counts.holding() as second:
            first.on(CHAT.id)
            second.on(CHAT.id)
            assert (await published.next()).deployments[CHAT.id].held == 2
    else:
        desk.counts.call(CHAT.id)
        desk.counts.call(CHAT.id)
        assert (await published.next()).deployments[CHAT.id].held == 1
    assert not desk.counts.urgent.is_set()
    running.cancel()


async def test_the_second_who_waits_is_not_urgent_and_the_first_after_all_have_left_is_again() -> None:
    desk = a_desk()
    with desk.counts.holding() as first:
        first.on(CHAT.id)
        desk.counts.urgent.clear()
        with desk.counts.holding() as second:
            second.on(CHAT.id)
        first.on(CHAT.id)
        desk.counts.call(CHAT.id)
        assert not desk.counts.urgent.is_set()
    with desk.counts.holding() as again:
        again.on(CHAT.id)
    assert desk.counts.urgent.is_set()


async def test_of_those_who_do_not_wait_only_the_first_is_urgent() -> None:
    desk = a_desk()
    desk.counts.call(CHAT.id)
    desk.counts.urgent.clear()
    desk.counts.call(CHAT.id)
    assert not desk.counts.urgent.is_set()


async def test_it_is_told_again_and_again_also_after_the_connection_was_lost() -> None:
    desk, published = a_desk(), Published(fail=2)
    with desk.counts.holding() as hold:
        hold.on(CHAT.id)
        running = asyncio.create_task(desk.reports.run(published.publish, interval_s=0))
        for _ in range(3):
            assert (await published.next()).deployments[CHAT.id].held == 1
        running.cancel()


async def test_what_is_counted_takes_no_more_room_with_every_request() -> None:
    desk, instance = Desk(), replica_of(CHAT)
    desk.knows(instance)
    for _ in range(1000):
        with desk.counts.holding() as hold:
            hold.on(UUID(int=1))
        desk.counts.answered[uuid4()] += 1
    desk.reports.next()
    assert not desk.counts.answered
    assert desk.counts.held(UUID(int=1)) == 0


async def test_without_a_connection_a_report_is_dropped() -> None:
    connection = Client()
    await publish(connection, b"{}")
    assert connection.pending_data_size == 0
