"""Whatever a worker answers ends the question, and nothing else: no watch stops, and nothing grows."""

import asyncio
import gzip
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.health.http_prober import HttpProber
from services.health.look import chains
from services.health.probes import Failed, Outcome, Passed, Probe, Target
from shared.lifecycle import events as e
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from tests.health.examples import a_pace
from tests.health.fake_worker import MODEL
from tests.health.hostile_worker import a_hostile_worker, a_port, endlessly
from tests.health.in_memory import MemoryJournal, here, hurried, watched

TARGET = Target("127.0.0.1", MODEL, "generate", "a key")
HEAD: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
IN_FLIGHT: Final = 8_000_000
"""What the buffers of two sockets may hold of something that nobody reads."""


def ok(body: bytes, *headers: bytes) -> bytes:
    return HEAD + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


async def asked(probe: Probe, port: int, **overrides: float) -> Outcome:
    async with HttpProber.open(a_pace(worker_port=port, ssh_port=port, **overrides)) as prober:
        return await prober.probe(probe, TARGET)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: endlessly(b"x", after=b"HTTP/1.1 "), id="a status line"),
        pytest.param(lambda: endlessly(b"x", after=HEAD + b"X: "), id="a header"),
        pytest.param(lambda: endlessly(b"X: y\r\n", after=HEAD), id="headers"),
        pytest.param(lambda: endlessly(b"HTTP/1.1 100 Continue\r\n\r\n"), id="interim answers"),
        pytest.param(lambda: endlessly(b"x", after=ok(b"")), id="a body"),
        pytest.param(lambda: endlessly(b"x", after=ok(b"", b"Content-Length: 99999999999999999999")), id="a length"),
        pytest.param(lambda: endlessly(b"1\r\nx\r\n", after=CHUNKED), id="tiny chunks"),
        pytest.param(lambda: endlessly(b"x", after=CHUNKED + b"1;"), id="a chunk's extension"),
        pytest.param(lambda: endlessly(b"X: y\r\n", after=CHUNKED + b"0\r\n"), id="trailers"),
        pytest.param(lambda: endlessly(b"x", after=CHUNKED + b"fffffffffffffff\r\n"), id="a chunk"),
    ],
)
@pytest.mark.parametrize("probe", [Probe.HEALTH, Probe.MODELS, Probe.RUNNING, Probe.WARMUP])
async def test_an_answer_without_an_end_is_left_after_a_bounded_number_of_bytes(
    probe: Probe, answer: Callable[[], Iterator[bytes]]
) -> None:
    async with a_hostile_worker(answer()) as worker:
        assert isinstance(await asked(probe, worker.port), Failed)
        assert worker.sent <= IN_FLIGHT


async def test_what_comes_behind_an_answer_is_not_read() -> None:
    async with a_hostile_worker(endlessly(b"HTTP/1.1 200 OK\r\n\r\n", after=ok(b"", b"Content-Length: 0"))) as worker:
        assert await asked(Probe.HEALTH, worker.port) == Passed()
        assert worker.sent <= IN_FLIGHT


@pytest.mark.parametrize("probe", [Probe.HEALTH, Probe.MODELS, Probe.RUNNING, Probe.WARMUP])
async def test_a_compressed_answer_is_a_failure_and_stays_as_small_as_it_came(probe: Probe) -> None:
    bomb = gzip.compress(b"\n" * 1_000_000)
    async with a_hostile_worker([ok(bomb, b"Content-Encoding: gzip")]) as worker:
        assert await asked(probe, worker.port) == Failed("a compressed answer, which nobody asked for")


async def test_an_answer_that_drips_is_left_after_the_probes_own_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in HEAD:
            writer.write(bytes([byte]))
        while not writer.is_closing():
            writer.write(b"X: y\r\n")
            await asyncio.sleep(0.01)

    async with a_port(drip) as port:
        assert await asked(Probe.HEALTH, port, answer_seconds=0.1) == Failed("no answer within 0.1 s", silent=True)


@pytest.mark.parametrize("banner", [b"\0" * 65_536, b"SSH-2.0-x\r\n" * 1000])
async def test_whatever_an_ssh_port_says_it_is_reachable_and_not_read(banner: bytes) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while not writer.is_closing():
                writer.write(banner)
                await writer.drain()

    async with a_port(greet) as port:
        assert await asked(Probe.SSH, port) == Passed()


@pytest.mark.parametrize("status", ["000", "001", "099", "101", "1e2", "-20", "9999", "²00"])
async def test_a_status_that_is_none_is_a_failure(status: str) -> None:
    async with a_hostile_worker([f"HTTP/1.1 {status} OK\r\nContent-Length: 0\r\n\r\n".encode()]) as worker:
        assert isinstance(await asked(Probe.HEALTH, worker.port), Failed)


@pytest.mark.parametrize("status", [204, 304, 500, 999])
async def test_a_body_where_none_belongs_changes_nothing(status: int) -> None:
    async with a_hostile_worker(endlessly(b"x", after=f"HTTP/1.1 {status} OK\r\n\r\n".encode())) as worker:
        assert await asked(Probe.HEALTH, worker.port) == Failed(f"HTTP {status}")
        assert worker.sent <= IN_FLIGHT


NUMBERS = ("NaN", "+Inf", "-Inf", "1e400", "-1", "-0.5", "1e16", "9" * 400)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["vllm:num_requests_running", "vllm:request_success_total"])
async def test_a_count_that_is_none_is_a_failure(name: str, number: str) -> None:
    metrics = f"vllm:num_requests_running 0\n{name} {number}\n".encode()
    async with a_hostile_worker([ok(metrics)]) as worker:
        assert isinstance(await asked(Probe.RUNNING, worker.port), Failed)


async def test_more_counts_than_any_worker_has_are_a_failure() -> None:
    metrics = b"".join(b'vllm:num_requests_running{engine="%d"} 0\n' % number for number in range(20_000))
    async with a_hostile_worker([ok(metrics)]) as worker:
        assert await asked(Probe.RUNNING, worker.port) == Failed("more counts than any worker has")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"data":[' + b'{"id":"a"},' * 50_000 + b'{"id":"%s"}]}' % MODEL.encode(), id="too many models"),
        pytest.param(b"[" * 500_000, id="depth"),
        pytest.param(b'{"data":' * 50_000, id="depth in the list"),
        pytest.param(b'{"data":[{"id":"\xff\xfe"}]}', id="no UTF-8"),
        pytest.param(b'{"data":[{"id":"\\ud800"}]}', id="half a character"),
        pytest.param(b"9" * 900_000, id="a long number"),
    ],
)
async def test_a_list_of_models_that_no_worker_has_is_a_failure(body: bytes) -> None:
    async with a_hostile_worker([ok(body)]) as worker:
        assert isinstance(await asked(Probe.MODELS, worker.port), Failed)


class Raising:
    """A prober that has a fault for every answer."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def probe(self, *_: object) -> Outcome:
        raise self.error


ENDS: Final = {
    Status.BOOTING: Status.STARTUP_FAILED,
    Status.INSTALLING: Status.STARTUP_FAILED,
    Status.STARTING: Status.STARTUP_FAILED,
    Status.READY: Status.FAILED,
    Status.UNAVAILABLE: Status.FAILED,
    Status.DRAINING: Status.TERMINATING,
}


SURPRISES: Final = (ValueError("NaN"), OverflowError(), RecursionError(), ExceptionGroup("several", [OSError()]))


def surprises(instance: Instance) -> float:
    asked = {"probe": str(chains(instance)[-1][0])}
    return REGISTRY.get_sample_value("coldstart_health_surprises_total", asked) or 0.0


@pytest.mark.parametrize("error", SURPRISES)
@pytest.mark.parametrize("status", ENDS)
async def test_a_watch_whose_every_look_raises_still_reaches_its_verdict(status: Status, error: Exception) -> None:
    instance = here(status)
    before = surprises(instance)
    with capture_logs() as logs:
        journal = await watched(instance, Raising(error), hurried())
    assert journal.instance.status is ENDS[status]
    assert surprises(instance) - before > 1
    (told,) = [entry for entry in logs if entry.get("probe") == chains(instance)[-1][0]]
    assert told["instance_id"] == str(instance.id)


COUNTS: Final = st.one_of(
    st.sampled_from([number.encode() for number in NUMBERS]),
    st.floats().map(lambda number: repr(number).encode()),
    st.binary(max_size=12),
)
METRICS: Final = st.lists(
    st.tuples(st.sampled_from([b"vllm:num_requests_running", b"vllm:request_success_total", b"# TYPE"]), COUNTS)
).map(lambda lines: b"".join(name + b" " + count + b"\n" for name, count in lines))
STATUSES: Final = st.sampled_from([b"200", b"200", b"200", b"099", b"100", b"101", b"204", b"401", b"1000"])
HEADERS: Final = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"Content-Length: 5",
                b"Content-Length: -1",
                b"Transfer-Encoding: chunked",
                b"Transfer-Encoding: gzip, chunked",
                b"Content-Encoding: gzip",
                b"Location: /metrics",
                b"Upgrade: websocket",
                b"Set-Cookie: a=\xff",
            ]
        ),
        st.binary(max_size=20),
    ),
    max_size=3,
)
ANSWERS: Final = st.one_of(
    st.binary(),
    st.builds(
        lambda status, headers, body: b"HTTP/1.1 " + status + b" OK\r\n" + ok(body, *headers).partition(b"\n")[2],
        STATUSES,
        HEADERS,
        st.one_of(METRICS, st.binary(), st.sampled_from([b'{"data":[' * 500, b"0\r\n\r\n", b"5\r\nvllm:\r\n"])),
    ),
)


@settings(max_examples=150, deadline=None)
@given(answer=ANSWERS)
@pytest.mark.real
def test_whatever_a_worker_answers_one_that_drains_is_drained_within_its_limit(answer: bytes) -> None:
    async def drained() -> MemoryJournal:
        async with a_hostile_worker([answer]) as worker:
            pace = hurried(worker_port=worker.port, answer_seconds=2.0)
            async with HttpProber.open(pace) as prober:
                return await watched(here(Status.DRAINING), prober, pace)

    journal = asyncio.run(drained())
    (end,) = journal.recorded
    assert isinstance(end, e.Drained)
    assert end.occurred_at <= here(Status.DRAINING).status_since + timedelta(seconds=60 + 5 * 4)
