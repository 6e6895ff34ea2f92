"""Requests go to the least busy worker. A session's requests go to its own worker, unless that is too busy."""

from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from math import ceil
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.api.router.balance import Balance
from tests.api.router.workers import a_worker

WORKERS = [a_worker(number) for number in range(1, 5)]


@given(st.lists(st.booleans(), max_size=60))
def test_the_busiest_worker_never_has_two_more_than_the_least_busy_one_when_it_is_chosen(begins: list[bool]) -> None:
    balance = Balance()
    running: list[tuple[UUID, AbstractContextManager[None]]] = []
    for begin in begins:
        if begin:
            worker = balance.choose(WORKERS, None)
            busy = balance.busy(worker)
            busy.__enter__()
            running.append((worker.instance_id, busy))
            loads = Counter(instance_id for instance_id, _ in running)
            assert loads[worker.instance_id] <= min(loads[one.instance_id] for one in WORKERS) + 1
        elif running:
            running.pop(0)[1].__exit__(None, None, None)
        assert balance.total == len(running)


def test_equals_take_turns() -> None:
    balance = Balance()
    chosen = []
    for _ in range(8):
        worker = balance.choose(WORKERS, None)
        chosen.append(worker.instance_id)
        with balance.busy(worker):
            pass
    assert Counter(chosen) == {worker.instance_id: 2 for worker in WORKERS}


def test_a_session_stays_with_its_worker_while_there_is_room() -> None:
    balance = Balance()
    assert len({balance.choose(WORKERS, b"a session").instance_id for _ in range(20)}) == 1
    spread = Counter(balance.choose(WORKERS, b"session %d" % number).instance_id for number in range(400))
    assert set(spread) == {worker.instance_id for worker in WORKERS}
    assert max(spread.values()) < 2 * min(spread.values())


def test_a_worker_that_goes_moves_only_its_own_sessions() -> None:
    balance = Balance()
    sessions = [b"session %d" % number for number in range(200)]
    before = {session: balance.choose(WORKERS, session) for session in sessions}
    after = {session: balance.choose(WORKERS[1:], session) for session in sessions}
    moved = {session for session in sessions if before[session] != after[session]}
    assert moved == {session for session in sessions if before[session] == WORKERS[0]}


@given(st.lists(st.sampled_from([b"hot", b"warm", b"cold"]), max_size=60))
def test_no_session_loads_a_worker_beyond_the_bound(sessions: list[bytes]) -> None:
    balance = Balance()
    with ExitStack() as running:
        for count, session in enumerate(sessions, start=1):
            worker = balance.choose(WORKERS, session)
            running.enter_context(balance.busy(worker))
            assert balance.in_flight(worker.instance_id) <= ceil(1.25 * count / len(WORKERS))
