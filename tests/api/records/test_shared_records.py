"""Records that processes share: what one writes the others read, and what a process had in flight ends with it."""

import asyncio
import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.api.access.errors import TooManyWrongKeys
from services.api.access.wrong_keys import WrongKeys
from services.api.records import shared_records
from services.api.records.records import FIELDS, NAME_BYTES, OwnRecords, Records, named
from services.api.records.shared_records import SharedRecords
from services.api.router.breakers import Breakers, BreakerState
from services.api.router.key_limits import KeyLimiter
from services.api.router.refusal import Refusal
from services.api.router.table import Worker
from tests.api.router.test_key_limits import Clock, a_key, refusal, request
from tests.api.router.workers import a_worker

NAME = named(b"a name")
PATIENCE_S = 120.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    SharedRecords.create(tmp_path / "records", 2).close()
    return tmp_path / "records"


@pytest.fixture
def both(path: Path) -> Iterator[tuple[SharedRecords, SharedRecords]]:
    first, second = SharedRecords(path, 0, 2), SharedRecords(path, 1, 2)
    yield first, second
    first.close()
    second.close()


@pytest.fixture(params=["own", "shared"])
def records(request: pytest.FixtureRequest) -> Records:
    return OwnRecords() if request.param == "own" else request.getfixturevalue("both")[0]


def test_a_record_keeps_its_numbers_and_counts(records: Records) -> None:
    with records:
        record = records.of(NAME)
        assert [record[at] for at in range(FIELDS)] == [0.0] * FIELDS
        record[FIELDS - 1] = 2.5
        records.count(record)
        records.count(record)
    records.discount(NAME)
    assert records.of(NAME) is record
    assert (records.of(NAME)[FIELDS - 1], records.counted(record)) == (2.5, 1)
    assert records.counted(records.of(named(b"another"))) == 0


def test_what_one_process_writes_the_other_reads(both: tuple[SharedRecords, SharedRecords]) -> None:
    first, second = both
    first.of(NAME)[0] = 7.0
    first.count(first.of(NAME))
    second.count(second.of(NAME))
    assert second.of(NAME)[0] == 7.0
    assert first.counted(first.of(NAME)) == second.counted(second.of(NAME)) == 2


def test_the_counts_of_a_process_that_has_ended_are_gone(both: tuple[SharedRecords, SharedRecords]) -> None:
    first, second = both
    for records in both:
        records.count(records.of(NAME))
    first.forget(1)
    assert first.counted(first.of(NAME)) == 1
    second.discount(NAME)
    assert first.counted(first.of(NAME)) == 1, "what it counted before does not become negative"


def test_of_too_many_names_in_one_place_the_one_unused_for_longest_is_forgotten(path: Path) -> None:
    clock = Clock()
    records = SharedRecords(path, 0, 2, clock)
    names = [bytes(NAME_BYTES - 1) + bytes([number + 1]) for number in range(shared_records._PROBED + 1)]
    for name in names[:-1]:
        clock.now += 1
        record = records.of(name)
        record[0] = 1.0
        if name == names[0]:
            records.count(record)
    clock.now += 1
    records.of(names[1])
    records.of(names[-1])[0] = 1.0
    kept = [records.of(name)[0] for name in (*names[:2], *names[3:])]
    assert kept == [1.0] * len(kept), "the first has a request in flight, the second was used again"
    assert records.of(names[2])[0] == 0.0
    records.close()


ADDING = """
import sys
from pathlib import Path
from services.api.records.shared_records import SharedRecords
records = SharedRecords(Path(sys.argv[1]), int(sys.argv[2]), 2)
begun = records.of(b"fedcba9876543210")
records.count(begun)
while records.counted(begun) < 2:
    pass
for _ in range(20_000):
    with records:
        records.of(b"0123456789abcdef")[0] += 1
"""
HOLDING = """
import signal, sys
from pathlib import Path
from services.api.records.shared_records import SharedRecords
SharedRecords(Path(sys.argv[1]), 1, 2).__enter__()
print("held", flush=True)
signal.pause()
"""


def process(script: str, *arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", script, *arguments], **options)


@pytest.mark.real
def test_while_one_process_changes_a_record_no_other_does(path: Path) -> None:
    adding = [process(ADDING, str(path), str(number)) for number in range(2)]
    assert [one.wait(PATIENCE_S) for one in adding] == [0, 0]
    records = SharedRecords(path, 0, 2)
    assert records.of(b"0123456789abcdef")[0] == 40_000
    records.close()


@pytest.mark.real
def test_a_process_that_is_killed_within_a_change_stops_nobody(path: Path) -> None:
    with process(HOLDING, str(path), stdout=subprocess.PIPE) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == b"held\n"
        with path.open("rb") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        holding.send_signal(signal.SIGKILL)
        records = SharedRecords(path, 0, 2)
        with records:
            records.of(NAME)[0] = 1.0
        records.close()


def test_a_limit_a_minute_is_one_for_all_processes(both: tuple[SharedRecords, SharedRecords]) -> None:
    clock = Clock()
    first, second = (KeyLimiter(clock, records=records) for records in both)
    key = a_key(requests_per_minute=4, tokens_per_minute=100)
    for _ in range(2):
        request(first, key)
        request(second, key)
    for limits in (first, second):
        assert "4 requests per minute" in refusal(limits, key).message
    clock.now += 15
    request(second, key)
    second.used(key, 130)
    clock.now += 15
    assert "100 tokens per minute" in refusal(first, key).message


def test_requests_in_flight_are_counted_over_all_processes(both: tuple[SharedRecords, SharedRecords]) -> None:
    first, second = (KeyLimiter(records=records, most_each=2) for records in both)
    key, organization = a_key(max_concurrent=1), uuid4()
    with first.admitted(key):
        assert "1 concurrent requests" in refusal(second, key).message
    request(second, key)
    with ExitStack() as running:
        for limits in (first, second):
            running.enter_context(limits.admitted(a_key(organization_id=organization)))
        with pytest.raises(Refusal) as refused, first.admitted(a_key(organization_id=organization)):
            pass
    assert "2 requests running" in refused.value.message
    request(first, a_key(organization_id=organization))


async def test_a_breaker_that_one_process_opens_is_open_in_all_and_each_may_close_it(
    both: tuple[SharedRecords, SharedRecords],
) -> None:
    worker, other = a_worker(1), a_worker(2)
    well, probed = asyncio.Event(), asyncio.Event()

    async def never(_: Worker) -> int | None:
        await asyncio.Event().wait()
        return None

    async def probe(_: Worker) -> int | None:
        probed.set()
        return 200 if well.is_set() else None

    pauses = {"first_pause_s": 0.001, "longest_pause_s": 0.002}
    first = Breakers(never, failures=2, records=both[0], **pauses)
    second = Breakers(probe, failures=2, records=both[1], **pauses)
    first.failed(worker)
    assert second.state(worker) is BreakerState.CLOSED
    second.failed(worker)
    assert first.state(worker) is second.state(worker) is BreakerState.OPEN, "failures in a row, whoever has seen them"
    assert first.usable([worker, other]) == [other]
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        tasks = [group.create_task(breakers.run()) for breakers in (first, second)]
        await probed.wait()
        well.set()
        while first.state(worker) is BreakerState.OPEN:  # noqa: ASYNC110
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    assert first.state(worker) is second.state(worker) is BreakerState.HALF_OPEN
    second.succeeded(worker)
    assert first.state(worker) is BreakerState.CLOSED


async def test_a_worker_that_another_process_has_set_aside_is_probed_by_this_one_too(
    both: tuple[SharedRecords, SharedRecords],
) -> None:
    probed = asyncio.Event()

    async def probe(_: Worker) -> int | None:
        probed.set()
        return None

    opened_by = Breakers(probe, failures=1, first_pause_s=1, longest_pause_s=1, records=both[0])
    opened_by.failed(a_worker(1))  # and ends; it never runs
    seen_by = Breakers(probe, failures=1, first_pause_s=0.001, longest_pause_s=0.001, records=both[1])
    assert seen_by.usable([a_worker(1), a_worker(2)]) == [a_worker(2)]
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        task = group.create_task(seen_by.run())
        await probed.wait()
        task.cancel()


async def test_wrong_keys_are_counted_over_all_processes(both: tuple[SharedRecords, SharedRecords]) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    clock = Clock()
    clock.now = 1_000.0
    first, second = (WrongKeys(clock, sleep, records) for records in both)
    by = {"client": ("192.0.2.1", 1)}
    for _ in range(10):
        await first.came(by)
        await second.came(by)
    assert slept == [float(second) for second in range(1, 11)]
    with pytest.raises(TooManyWrongKeys):
        await first.came(by)


def test_a_name_of_the_same_id_is_the_same_in_every_process() -> None:
    assert named(b"a", b"b") == named(b"a", b"b") != named(b"ab")
    assert len(UUID(int=1).bytes) == len(named(b"")) == NAME_BYTES
