"""The event loop runs on while the SDK blocks, threads stay few, and a caller that leaves sends no more requests."""

import asyncio
import threading
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.provisioner.provider import Order, Server, TryAgain
from services.provisioner.providers.scaleway.calls import Calls, time_left_s
from services.provisioner.providers.scaleway.provider import ScalewayProvider
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from simulator.scenario import Call, Error, Failure, Scenario
from tests.provisioner.provider_contract import eventually
from tests.provisioner.providers.conftest import QUICK
from tests.simulator.clients import Control


def hanging(call: Call, **changes: float) -> Scenario:
    failure = Failure(call=call, error=Error.TIMEOUT_BEFORE, times=None)
    return QUICK.model_copy(update={"failures": (failure,), "hang": 2.0, **changes})


def order(provider: ScalewayProvider, instance_id: UUID) -> Order:
    return Order(instance_id, "hanging", provider.zones[0], "L4-1-24G", b"#cloud-config\n{}\n")


@pytest.fixture
def call_timeout_s() -> float:
    return 0.5


async def test_the_loop_goes_on_while_a_call_hangs_and_the_call_ends_in_time(
    provider: ScalewayProvider, control: Control
) -> None:
    await control("PUT", "scenario", hanging(Call.GET_SERVER))
    clock = asyncio.get_running_loop()
    started, beats = clock.time(), 0
    call = asyncio.create_task(provider.get_server(provider.zones[0], str(uuid4())))
    while not call.done():
        await asyncio.wait([call], timeout=0.01)
        beats += 1
    with pytest.raises(TryAgain) as late:
        await call
    assert late.value.code == "timed_out"
    assert clock.time() - started < 1.5
    assert beats > 5


async def test_all_the_requests_of_one_call_have_one_deadline(provider: ScalewayProvider, control: Control) -> None:
    await control("PUT", "scenario", hanging(Call.SET_USER_DATA, create=0.45))
    started = asyncio.get_running_loop().time()
    with pytest.raises(TryAgain) as late:
        await provider.create_server(order(provider, uuid4()))
    assert late.value.code == "timed_out"
    assert asyncio.get_running_loop().time() - started < 0.9


async def test_threads_are_bounded_and_waiting_for_one_counts(
    scaleway_settings: ScalewaySettings, control: Control
) -> None:
    await control("PUT", "scenario", hanging(Call.GET_SERVER))
    async with ScalewayProvider(scaleway_settings, uuid4(), 0.5, threads=3) as provider:
        calls = [asyncio.create_task(provider.get_server(provider.zones[0], str(uuid4()))) for _ in range(20)]
        most = 0
        while any(not call.done() for call in calls):
            await asyncio.wait(calls, timeout=0.02)
            most = max(most, sum(thread.name.startswith("scaleway") for thread in threading.enumerate()))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {TryAgain}
    assert most == 3
    assert not any(thread.name.startswith("scaleway") for thread in threading.enumerate())


async def test_a_creation_whose_caller_was_cancelled_is_told_and_found_again(
    scaleway_settings: ScalewaySettings, control: Control
) -> None:
    instance_id = uuid4()
    await control("PUT", "scenario", QUICK.model_copy(update={"create": 1.0}))
    with capture_logs() as logs:

        async def said() -> dict[str, Any]:
            return {entry["event"]: entry for entry in logs}

        async with ScalewayProvider(scaleway_settings, uuid4(), 10.0) as provider:
            creating = asyncio.create_task(provider.create_server(order(provider, instance_id)))
            await asyncio.wait([creating], timeout=0.5)
            creating.cancel()
            with pytest.raises(asyncio.CancelledError):
                await creating
            told = await eventually(said, lambda events: "a call outlived its caller" in events)
            (server,) = await eventually(lambda: provider.find_servers(instance_id), bool)
    assert told["server created"]["server_id"] == server.id


async def test_a_call_that_waits_for_a_thread_is_not_begun_once_its_caller_has_left() -> None:
    calls, begun, release = Calls(5.0, threads=1), threading.Event(), threading.Event()
    asked: list[str] = []

    def hold() -> None:
        begun.set()
        release.wait(5)

    def ask() -> None:
        time_left_s()
        asked.append("the cloud")

    first = asyncio.create_task(calls(hold))
    await asyncio.to_thread(begun.wait, 5)
    second = asyncio.create_task(calls(ask))
    await asyncio.wait([second], timeout=0.01)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    release.set()
    await first
    await calls.close()
    assert asked == []


async def test_one_zone_that_fails_fails_the_look_into_all(provider: ScalewayProvider, control: Control) -> None:
    made = await provider.create_server(order(provider, instance_id := uuid4()))
    assert isinstance(made, Server)
    failure = Failure(call=Call.LIST_SERVERS, error=Error.UNAVAILABLE, zone=provider.zones[1])
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": (failure,)}))
    with pytest.raises(TryAgain):
        await provider.find_servers(instance_id)
    assert [server.id for server in await provider.find_servers(instance_id)] == [made.id]


def counted(call: str, outcome: str) -> float:
    labels = {"provider": "scaleway", "call": call, "outcome": outcome}
    return REGISTRY.get_sample_value("coldstart_provider_calls_total", labels) or 0.0


def measured(call: str) -> float:
    labels = {"provider": "scaleway", "call": call}
    return REGISTRY.get_sample_value("coldstart_provider_call_seconds_count", labels) or 0.0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "done"), (Error.OUT_OF_STOCK, "out_of_stock"), (Error.UNAVAILABLE, "cloud_unavailable")],
)
async def test_a_call_is_counted_once_by_what_came_of_it_and_timed(
    provider: ScalewayProvider, control: Control, error: Error | None, outcome: str
) -> None:
    failures = () if error is None else (Failure(call=Call.CREATE_SERVER, error=error),)
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": failures}))
    before, timed = counted("servers.create", outcome), measured("servers.create")
    with suppress(TryAgain):
        await provider.create_server(order(provider, uuid4()))
    assert counted("servers.create", outcome) == before + 1
    assert measured("servers.create") == timed + 1


async def test_a_call_that_hangs_or_is_cancelled_or_surprises_is_counted_as_that() -> None:
    calls, release = Calls(0.1), threading.Event()

    def hang() -> None:
        release.wait(5)

    def surprise() -> None:
        raise KeyError("an answer without it")

    hangs = hang.__qualname__.lower()
    with pytest.raises(TryAgain):
        await calls(hang)
    cancelled = asyncio.create_task(calls(hang))
    await asyncio.wait([cancelled], timeout=0.01)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    with pytest.raises(KeyError):
        await calls(surprise)
    release.set()
    await calls.close()
    assert (counted(hangs, "timed_out"), counted(hangs, "cancelled")) == (1, 1)
    assert counted(surprise.__qualname__.lower(), "unexpected") == 1
