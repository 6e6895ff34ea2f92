import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from services.health.http_prober import HttpProber
from services.health.probes import (
    Failed,
    ModelListed,
    OldWorker,
    Outcome,
    Passed,
    Probe,
    Refused,
    Running,
    Target,
    WarmedUp,
)
from services.health.worker_http import Line
from shared.secrets import Secrets
from shared.vllm_version import VllmVersion
from shared.worker_tls import WorkerTls
from tests.api.upstream import raw_worker
from tests.health.examples import SECRET, a_pace
from tests.health.fake_worker import MODEL, FakeWorker, Handler, a_closed_port, a_machine
from tests.health.hostile_worker import a_port
from tests.health.watching import until
from tests.worker_tls.workers import server_context

WORKER_PROBES = (Probe.HEALTH, Probe.MODELS, Probe.WARMUP)


@dataclass
class Machine:
    worker: FakeWorker
    prober: HttpProber
    target: Target

    async def probe(self, probe: Probe) -> Outcome:
        async with asyncio.timeout(120):
            return await self.prober.probe(probe, self.target)


@pytest.fixture
async def machine() -> AsyncGenerator[Machine]:
    async with a_machine() as (ssh_port, worker):
        pace = a_pace(ssh_port=ssh_port, worker_port=worker.port)
        async with HttpProber.open(pace) as prober:
            yield Machine(worker, prober, Target("127.0.0.1", MODEL, "generate", worker.api_key))


def answering(make: Callable[[], web.StreamResponse]) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return make()

    return handler


async def hanging(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError("unreachable")


async def test_a_worker_with_its_model_passes_every_probe(machine: Machine) -> None:
    await machine.worker.open()
    passed = [Passed(), Passed(), ModelListed(2048), WarmedUp(VllmVersion(0, 32, 0))]
    assert [await machine.probe(probe) for probe in (Probe.SSH, *WORKER_PROBES)] == passed
    (body,) = machine.worker.bodies
    assert (body["model"], body["max_tokens"]) == (MODEL, 1)


@pytest.mark.parametrize("told", [None, "2048", 0, -1, True, 20.48, 2**31, [2048], {}])
async def test_a_longest_context_that_makes_no_sense_is_left_out(machine: Machine, told: Any) -> None:
    await machine.worker.open()
    machine.worker.max_model_len = told
    assert await machine.probe(Probe.MODELS) == ModelListed(None)


async def test_an_embedding_model_is_warmed_up_by_an_embedding(machine: Machine) -> None:
    await machine.worker.open()
    machine.target = replace(machine.target, task="embed")
    assert await machine.probe(Probe.WARMUP) == WarmedUp(VllmVersion(0, 32, 0))
    assert machine.worker.bodies == [{"model": MODEL, "input": "Hello"}]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"version": 32}', b'{"version": "dev"}', b"0.32.0", b"x" * 100_000])
async def test_a_worker_that_does_not_say_its_version_is_warm_all_the_same(machine: Machine, body: bytes) -> None:
    await machine.worker.open()
    machine.worker.instead["/version"] = answering(lambda: web.Response(body=body))
    assert await machine.probe(Probe.WARMUP) == WarmedUp(None)


async def test_a_worker_that_never_says_its_version_is_given_up_within_the_time_of_the_warm_up(
    machine: Machine,
) -> None:
    await machine.worker.open()
    machine.worker.instead["/version"] = hanging
    async with HttpProber.open(a_pace(worker_port=machine.worker.port, warmup_seconds=0.5)) as prober:
        async with asyncio.timeout(120):
            assert await prober.probe(Probe.WARMUP, machine.target) == WarmedUp(None)


@pytest.mark.parametrize("probe", [*WORKER_PROBES, Probe.RUNNING])
async def test_a_closed_port_is_refused(machine: Machine, probe: Probe) -> None:
    assert await machine.probe(probe) == Refused()


async def test_a_closed_ssh_port_is_refused(machine: Machine) -> None:
    async with HttpProber.open(a_pace(ssh_port=a_closed_port())) as prober:
        assert await prober.probe(Probe.SSH, machine.target) == Refused()


@contextmanager
def a_port_that_drops_packets() -> Iterator[int]:
    """A listener that never accepts, its queue full: further connects get no answer at all."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_machine_that_drops_packets_is_given_up_after_the_time_for_connecting(machine: Machine) -> None:
    with a_port_that_drops_packets() as port:
        async with HttpProber.open(a_pace(ssh_port=port, worker_port=port, connect_seconds=0.05)) as prober:
            for probe in Probe:
                assert await prober.probe(probe, machine.target) == Failed("no answer within 0.05 s", silent=True)


@pytest.mark.parametrize("probe", [Probe.MODELS, Probe.WARMUP])
async def test_the_worker_of_another_attempt_is_known_by_its_401(machine: Machine, probe: Probe) -> None:
    await machine.worker.open()
    machine.worker.api_key = "the key of another attempt"
    assert await machine.probe(probe) == OldWorker()


@pytest.mark.parametrize(
    ("probe", "path", "seconds"),
    [
        (Probe.HEALTH, "/health", 0.2),
        (Probe.MODELS, "/v1/models", 0.2),
        (Probe.WARMUP, "/v1/completions", 0.3),
        (Probe.RUNNING, "/metrics", 0.2),
    ],
)
async def test_a_worker_that_hangs_is_given_up_after_the_probes_own_time(
    machine: Machine, probe: Probe, path: str, seconds: float
) -> None:
    await machine.worker.open()
    machine.worker.instead[path] = hanging
    brief = a_pace(worker_port=machine.worker.port, answer_seconds=0.2, warmup_seconds=0.3)
    async with HttpProber.open(brief) as prober:
        assert await prober.probe(probe, machine.target) == Failed(f"no answer within {seconds:g} s", silent=True)


async def test_a_worker_with_another_model_fails_and_says_which_is_missing(machine: Machine) -> None:
    await machine.worker.open()
    machine.worker.models = ["gpt2", "Qwen/Qwen2.5-0.5B"]
    assert await machine.probe(Probe.MODELS) == Failed(f"{MODEL} is not among the 2 models listed")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"data": 1}', b'{"data": [{}], "choices": []}', b"\xff\xfe"]
)
@pytest.mark.parametrize(("probe", "path"), [(Probe.MODELS, "/v1/models"), (Probe.WARMUP, "/v1/completions")])
async def test_garbage_is_a_failure_and_not_an_error(machine: Machine, probe: Probe, path: str, body: bytes) -> None:
    await machine.worker.open()
    machine.worker.instead[path] = answering(lambda: web.Response(body=body))
    assert await machine.probe(probe) == Failed("an answer that is not what the OpenAI API says")


@pytest.mark.parametrize("status", [204, 301, 404, 429, 500, 503])
async def test_any_other_status_is_a_failure_that_names_it(machine: Machine, status: int) -> None:
    await machine.worker.open()
    machine.worker.instead["/health"] = answering(lambda: web.Response(status=status, headers={"Location": "/metrics"}))
    assert await machine.probe(Probe.HEALTH) == Failed(f"HTTP {status}")


async def test_something_that_speaks_no_http_is_a_failure(machine: Machine) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", machine.worker.port):
        assert isinstance(await machine.probe(Probe.HEALTH), Failed)


async def test_an_answer_without_an_end_is_cut_off(machine: Machine) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 1_000_000)

    await machine.worker.open()
    machine.worker.instead["/v1/models"] = flood
    assert isinstance(await machine.probe(Probe.MODELS), Failed)


async def test_requests_that_run_and_requests_that_wait_both_count_as_running(machine: Machine) -> None:
    await machine.worker.open()
    assert await machine.probe(Probe.RUNNING) == Running(0, 0.0)
    machine.worker.running, machine.worker.waiting = 3, 2
    assert await machine.probe(Probe.RUNNING) == Running(5, 0.0)


@pytest.mark.parametrize("text", ["", "vllm:num_requests_running many\n", "up 1\n", "vllm:num_requests_running{ 1\n"])
async def test_metrics_without_a_count_are_a_failure_and_not_an_idle_worker(machine: Machine, text: str) -> None:
    await machine.worker.open()
    machine.worker.instead["/metrics"] = answering(lambda: web.Response(text=text))
    assert isinstance(await machine.probe(Probe.RUNNING), Failed)


async def test_a_target_does_not_show_its_key(machine: Machine) -> None:
    assert machine.target.api_key not in repr(machine.target)


async def test_what_was_served_is_counted_over_all_reasons_and_unknown_where_nobody_counts(machine: Machine) -> None:
    await machine.worker.open()
    counted = "vllm:num_requests_running 0\n" + "".join(
        f'vllm:request_success_total{{finished_reason="{reason}"}} 2.0\n' for reason in ("stop", "length")
    )
    machine.worker.instead["/metrics"] = answering(lambda: web.Response(text=counted))
    assert await machine.probe(Probe.RUNNING) == Running(0, 4.0)
    machine.worker.instead["/metrics"] = answering(lambda: web.Response(text="vllm:num_requests_running 0\n"))
    assert await machine.probe(Probe.RUNNING) == Running(0, None)


async def test_tokens_and_finished_requests_are_what_an_engine_has_produced(machine: Machine) -> None:
    await machine.worker.open()
    counted = (
        "vllm:num_requests_running 1\nvllm:request_success_total 2.0\n"
        "vllm:prompt_tokens_total 30.0\nvllm:generation_tokens_total 5.0\n"
    )
    machine.worker.instead["/metrics"] = answering(lambda: web.Response(text=counted))
    assert await machine.probe(Probe.RUNNING) == Running(1, 2.0, 37.0)


SECRETS = Secrets(SECRET)
INSTANCE = UUID(int=3)


def speaking_tls(target: Target, attempt: int = 2) -> Target:
    return replace(target, tls=WorkerTls(SECRETS, INSTANCE, attempt))


async def test_a_worker_of_its_attempt_passes_every_probe_over_tls(machine: Machine) -> None:
    await machine.worker.open(server_context(SECRETS.worker_certificates(INSTANCE, 2)))
    machine.target = speaking_tls(machine.target)
    passed = [Passed(), ModelListed(2048), WarmedUp(VllmVersion(0, 32, 0))]
    assert [await machine.probe(probe) for probe in WORKER_PROBES] == passed
    assert await machine.probe(Probe.RUNNING) == Running(0, 0.0)


@pytest.mark.parametrize("probe", WORKER_PROBES)
async def test_a_worker_with_another_attempt_s_certificate_is_an_old_one_and_is_told_nothing(
    machine: Machine, probe: Probe
) -> None:
    await machine.worker.open(server_context(SECRETS.worker_certificates(INSTANCE, 1)))
    machine.target = speaking_tls(machine.target)
    assert await machine.probe(probe) == OldWorker()
    assert not machine.worker.asked


async def test_a_worker_of_another_instance_that_trusts_everybody_is_told_nothing_either(machine: Machine) -> None:
    context = server_context(SECRETS.worker_certificates(UUID(int=4), 2))
    context.verify_mode = ssl.CERT_NONE
    await machine.worker.open(context)
    machine.target = speaking_tls(machine.target)
    assert await machine.probe(Probe.MODELS) == OldWorker()
    assert not machine.worker.asked


async def test_without_tls_on_both_sides_a_worker_is_told_nothing(machine: Machine) -> None:
    await machine.worker.open()
    machine.target = speaking_tls(machine.target)
    assert isinstance(await machine.probe(Probe.HEALTH), Failed)
    assert not machine.worker.asked


async def test_a_port_that_is_closed_is_refused_over_tls_as_well(machine: Machine) -> None:
    machine.target = speaking_tls(machine.target)
    assert await machine.probe(Probe.HEALTH) == Refused()


async def test_a_worker_that_is_too_busy_to_begin_tls_is_waited_for_as_for_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        pace = a_pace(worker_port=busy.getsockname()[1], connect_seconds=3600, answer_seconds=0.1)
        async with HttpProber.open(pace) as prober:
            target = speaking_tls(Target("127.0.0.1", MODEL, "generate", "a key"))
            assert await prober.probe(Probe.HEALTH, target) == Failed("no answer within 0.1 s", silent=True)


def connections_of(worker: FakeWorker) -> set[object]:
    """Remember from now on from where requests come."""
    seen: set[object] = set()

    async def answered(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        seen.add(request.transport.get_extra_info("peername"))
        return web.json_response({"data": [{"id": MODEL}], "choices": [{"text": ""}]})

    worker.instead = dict.fromkeys(("/health", "/v1/models", "/v1/completions"), answered)
    return seen


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_one_look_needs_one_connection(machine: Machine, tls: bool) -> None:
    await machine.worker.open(server_context(SECRETS.worker_certificates(INSTANCE, 2)) if tls else None)
    seen = connections_of(machine.worker)
    target = speaking_tls(machine.target) if tls else machine.target
    with closing(Line()) as line:
        machine.target = replace(target, line=line)
        assert not [probe for probe in WORKER_PROBES if not isinstance(await machine.probe(probe), Passed)]
    assert len(seen) == 1
    machine.target = target
    assert not [probe for probe in WORKER_PROBES if not isinstance(await machine.probe(probe), Passed)]
    assert len(seen) == 4


HEALTHY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [HEALTHY + HEALTHY, HEALTHY + b"H", HEALTHY.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")],
    ids=["another answer", "a byte", "a farewell"],
)
async def test_a_connection_that_cannot_go_on_is_replaced(answer: bytes) -> None:
    async with raw_worker.a_raw_worker(raw_worker.answering(answer, answer)) as worker:
        async with HttpProber.open(a_pace(worker_port=worker.address.port)) as prober:
            with closing(Line()) as line:
                target = Target("127.0.0.1", MODEL, "generate", "a key", line=line)
                assert [await prober.probe(Probe.HEALTH, target) for _ in range(2)] == [Passed()] * 2
        assert worker.accepted == 2


async def test_a_connection_that_its_worker_closes_between_two_probes_is_replaced(machine: Machine) -> None:
    with closing(Line()) as line:
        machine.target = replace(machine.target, line=line)
        for _ in range(2):
            await machine.worker.open()
            assert await machine.probe(Probe.HEALTH) == Passed()
            await machine.worker.close()
            await until(_has_noticed(line))
        assert await machine.probe(Probe.HEALTH) == Refused()


async def test_a_connection_that_its_worker_closes_just_as_it_is_asked_again_is_replaced() -> None:
    """It has not been seen to be closed before the question went out."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEALTHY)
        with suppress(OSError, asyncio.IncompleteReadError):  # at the end the client closes first
            await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with a_port(once) as port, HttpProber.open(a_pace(worker_port=port)) as prober:
        with closing(Line()) as line:
            target = Target("127.0.0.1", MODEL, "generate", "a key", line=line)
            assert [await prober.probe(Probe.HEALTH, target) for _ in range(3)] == [Passed()] * 3


async def test_a_worker_that_closes_every_connection_without_an_answer_fails() -> None:
    async def closing_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with a_port(closing_at_once) as port, HttpProber.open(a_pace(worker_port=port)) as prober:
        with closing(Line()) as line:
            target = Target("127.0.0.1", MODEL, "generate", "a key", line=line)
            assert isinstance(await prober.probe(Probe.HEALTH, target), Failed)


def _has_noticed(line: Line) -> Callable[[], bool]:
    return lambda: all(kept.pipe.disturbed for kept in line._kept)
