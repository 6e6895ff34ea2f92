"""Waiting for an instance by either client: until it is ready, has failed, or the time is over."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from coldstart_client import InstanceFailed, NotFound, Progress, WaitTimedOut
from coldstart_client.answers import Status
from tests.api.fakes import free_port
from tests.api.stage import ADMIN_KEY, PATIENCE_S, Stage, until
from tests.client.conftest import MakeClient
from tests.client.test_events import recent
from tests.coldstart.fake_api import FakeApi, stream, values
from tests.coldstart.told import ID, an_instance, estimate
from tests.console.test_fleet import api_at
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h


async def seen(steps: list[Progress], number: int) -> None:
    async def enough() -> bool:
        return len([step for step in steps if step.event]) >= number

    await until(enough)


async def test_a_launch_is_followed_to_ready_though_the_api_is_killed_in_between(
    stage: Stage, client_of: MakeClient
) -> None:
    port = free_port()
    requested, *rest = recent(h.a_ready_instance())
    instance = await stage.happened(requested)
    steps: list[Progress] = []
    async with client_of(f"http://127.0.0.1:{port}", ADMIN_KEY) as client:
        async with api_at(stage, port):
            waiting = asyncio.create_task(client.instances.wait_until_ready(instance.id, progress=steps.append))
            await until(lambda: asyncio.sleep(0, bool(steps)))
            for fact in rest[:3]:
                await stage.happened(fact, instance_id=instance.id)
            await seen(steps, 3)
        for fact in rest[3:6]:
            await stage.happened(fact, instance_id=instance.id)
        async with api_at(stage, port):
            for fact in rest[6:]:
                await stage.happened(fact, instance_id=instance.id)
            ready = await waiting
    assert (ready.id, ready.status, ready.version) == (instance.id, Status.READY, 1 + len(rest))
    assert steps[0].event is None
    assert [step.event.type for step in steps if step.event] == [fact.type() for fact in rest]
    percents = [step.percent for step in steps]
    assert (percents, percents[-1]) == (sorted(percents), 100)
    assert steps[-1].eta is None
    assert all(step.eta for step in steps[:-1]), "an estimate stays until the next one"


async def test_an_instance_that_fails_is_an_error_with_its_reason(stage: Stage, client_of: MakeClient) -> None:
    api = await stage.api()
    instance = await stage.happened(f.instance_requested())
    steps: list[Progress] = []
    async with client_of(api.url, ADMIN_KEY) as client:
        waiting = asyncio.create_task(client.instances.wait_until_ready(instance.id, progress=steps.append))
        await until(lambda: asyncio.sleep(0, bool(steps)))
        await stage.happened(f.provisioning_failed(), instance_id=instance.id)
        with pytest.raises(InstanceFailed) as failed:
            await waiting
    assert failed.value.instance.status is Status.PROVISIONING_FAILED
    assert failed.value.instance.error is not None
    assert failed.value.code == failed.value.instance.error.code
    assert failed.value.instance.error.message in str(failed.value)


async def test_an_instance_that_is_settled_already_is_not_waited_for(stage: Stage, client_of: MakeClient) -> None:
    api = await stage.api()
    ready = await stage.happened(*h.a_ready_instance())
    ending = await stage.happened(*h.a_terminating_instance())
    async with client_of(api.url, ADMIN_KEY) as client:
        assert (await client.instances.wait_until_ready(ready.id)).id == ready.id
        with pytest.raises(InstanceFailed, match="terminating") as ended:
            await client.instances.wait_until_ready(ending.id)
        assert ended.value.code is None
        with pytest.raises(NotFound):
            await client.instances.wait_until_ready("8e2d9a51-6c5a-4a6e-9b60-7d1f2c3b4a59")


class Pings(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A stream that opens, and then has signs of life only, for far longer than anybody should listen."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            await asyncio.sleep(0)
            yield part

    def __iter__(self) -> Iterator[bytes]:
        yield b"id: 0a0b0c0d-0\n\n"
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            yield b": ping\n"
        raise AssertionError("it still listened")


async def test_a_wait_ends_in_time_though_nothing_but_signs_of_life_come(client_of: MakeClient) -> None:
    def answered(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=Pings())
        return httpx.Response(200, json=an_instance("booting", "InstanceStarted", 50))

    async with client_of("http://api.example.com", "a-key", transport=httpx.MockTransport(answered)) as client:
        with pytest.raises(WaitTimedOut, match=r"^qwen is not ready after 0\.2 s\.$"):
            await client.instances.wait_until_ready(ID, timeout_s=0.2)


async def test_a_wait_ends_in_time_though_nothing_comes_at_all(api: FakeApi, client_of: MakeClient) -> None:
    api.says("GET", f"/instances/{ID}", values(an_instance("booting", "InstanceStarted", 50)))
    api.says("GET", f"/instances/{ID}/events", stream([], hold=True))
    async with client_of(api.url, "a-key") as client:
        with pytest.raises(WaitTimedOut) as over:
            await client.instances.wait_until_ready(ID, timeout_s=0.5)
    assert over.value.instance is not None
    assert over.value.instance.status is Status.BOOTING


async def test_a_history_that_was_lost_is_no_reason_to_stop_waiting(api: FakeApi, client_of: MakeClient) -> None:
    reset = b'id: ffffffff-0\nevent: reset\ndata: {"position": "ffffffff-0"}\n\n'
    booting, ready = an_instance("booting", "InstanceStarted", 50), an_instance()
    api.says("GET", f"/instances/{ID}", values(booting), values(ready))
    api.says("GET", f"/instances/{ID}/events", stream([]), stream([], more=reset), stream([], hold=True))
    async with client_of(api.url, "a-key") as client:
        assert (await client.instances.wait_until_ready(ID)).status is Status.READY
    assert api.asked[-2].headers["last-event-id"] == "ffffffff-0"


async def test_an_estimate_alone_is_progress_too(api: FakeApi, client_of: MakeClient) -> None:
    api.says("GET", f"/instances/{ID}", values(an_instance("booting", "InstanceStarted", 50)))
    api.says("GET", f"/instances/{ID}/events", stream([], more=estimate(100.0, 200.0), hold=True))
    async with client_of(api.url, "a-key") as client:
        steps = client.instances.watch(ID)
        first, second = await anext(steps), await anext(steps)
        await steps.aclose()
    assert (first.eta, first.doing) == (None, first.instance.doing)
    assert second.eta is not None
    assert (second.event, second.eta.p50_seconds) == (None, 100.0)
