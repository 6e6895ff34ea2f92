"""Server-sent events: from any position to any other, every event once and in order."""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from httpx_sse import ServerSentEvent, aconnect_sse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.api.app import running
from shared.bus.installation import installation_id
from shared.journal.streams import LIFECYCLE, append_subject
from shared.lifecycle.instance import Instance
from tests.api.stage import ADMIN_KEY, BODY, PATIENCE_S, RunningApi, Stage, a_client, until
from tests.lifecycle import facts, histories


@asynccontextmanager
async def following(
    api: RunningApi, path: str = "/events", *, last: str | None = None, **query: str
) -> AsyncGenerator["Follower"]:
    """Yields once the api has said that it is connected."""
    headers = {"Last-Event-ID": last} if last else {}
    async with (
        asyncio.timeout(PATIENCE_S),
        aconnect_sse(api.client, "GET", path, params=query, headers=headers) as source,
    ):
        assert source.response.status_code == 200, await source.response.aread()
        yield Follower(source.aiter_sse())


class Follower:
    def __init__(self, messages: AsyncGenerator[ServerSentEvent]) -> None:
        self._messages = messages

    async def take(self, number: int) -> list[ServerSentEvent]:
        """Waits for this many events. Estimates and messages with only an id do not count."""
        taken: list[ServerSentEvent] = []
        while len(taken) < number:
            message = await anext(self._messages)
            taken += [message] if message.data and message.event != "estimate" else []
        return taken

    async def position(self) -> str:
        """The id that comes before any event."""
        message = await anext(self._messages)
        assert message.data == ""
        return message.id

    async def estimate(self) -> dict[str, Any]:
        """Waits for the next estimate. Events do not count."""
        while (message := await anext(self._messages)).event != "estimate":
            pass
        told: dict[str, Any] = message.json()
        return told


def types(messages: list[ServerSentEvent]) -> list[str]:
    return [message.event for message in messages]


async def followed(api: RunningApi, number: int) -> None:
    """Wait until this many clients follow."""

    async def so_many() -> bool:
        return f"coldstart_sse_clients {float(number)}" in (await api.client.get("/metrics")).text

    await until(so_many)


async def test_events_arrive_as_they_happen_each_a_cloud_event_with_the_instance_after_it(stage: Stage) -> None:
    api = await stage.api()
    await stage.happened(facts.instance_requested())
    async with following(api, **{"from": "start"}) as earlier:
        await earlier.take(1)  # what the api has read by now is not for those who follow from now on
        async with following(api) as follower:
            await followed(api, 2)
            instance = (await api.client.post("/instances", json=BODY)).json()
            (message,) = await follower.take(1)
    event = message.json()
    assert (message.event, event["type"], event["specversion"]) == (
        "InstanceRequested",
        *("InstanceRequested", "1.0"),
    )
    assert (event["subject"], event["actor"]) == (instance["id"], "api")
    assert event["data"]["instance"]["version"] == 1
    epoch, _, sequence = message.id.partition("-")
    assert (len(epoch.partition(".")[0]), sequence) == (8, "2")


async def test_an_event_describes_the_instance_after_it_as_the_api_shows_it(stage: Stage) -> None:
    api = await stage.api()
    instance = await stage.happened(*histories.a_ready_instance())
    async with following(api, f"/instances/{instance.id}/events", **{"from": "start"}) as follower:
        *_, last = await follower.take(instance.version)
    described = last.json()["data"]["description"]
    shown = (await api.client.get(f"/instances/{instance.id}")).json()
    passing = {"as_of", "cost", "eta"}
    assert {*shown} - {*described} == {"eta"}
    assert {name: described[name] for name in described.keys() - passing} == {
        name: shown[name] for name in shown.keys() - passing
    }
    assert described["as_of"] == described["updated_at"]


async def test_an_instance_s_history_is_replayed_and_then_goes_on_live(stage: Stage) -> None:
    api = await stage.api()
    instance = await stage.happened(facts.instance_requested(), facts.instance_created())
    await stage.happened(facts.instance_requested())
    async with following(api, f"/instances/{instance.id}/events", **{"from": "start"}) as follower:
        assert types(await follower.take(2)) == ["InstanceRequested", "InstanceCreated"]
        await stage.happened(facts.instance_requested())
        await stage.happened(facts.instance_started(), instance_id=instance.id)
        (message,) = await follower.take(1)
        assert (message.event, message.json()["subject"]) == ("InstanceStarted", str(instance.id))


async def test_a_client_resumes_behind_the_last_event_that_it_saw_whatever_happened_since(stage: Stage) -> None:
    api = await stage.api()
    instance = await stage.happened(facts.instance_requested(), facts.instance_created())
    async with following(api, **{"from": "start"}) as follower:
        first, second = await follower.take(2)
    await stage.happened(facts.instance_started(), instance_id=instance.id)
    for last, missed in ((first, ["InstanceCreated", "InstanceStarted"]), (second, ["InstanceStarted"])):
        async with following(api, last=last.id) as follower:
            assert types(await follower.take(len(missed))) == missed


async def test_a_client_that_was_cut_off_before_its_first_event_misses_none(stage: Stage) -> None:
    api = await stage.api()
    instance = await stage.happened(facts.instance_requested())
    for path in ("/events", f"/instances/{instance.id}/events"):
        async with following(api, path) as follower:
            position = await follower.position()
        await stage.happened(facts.action_delayed(number=len(path)), instance_id=instance.id)
        async with following(api, path, last=position) as follower:
            assert await follower.position() == position
            assert types(await follower.take(1)) == ["ActionDelayed"]


async def test_a_position_that_was_told_before_a_replay_is_that_of_its_beginning(stage: Stage) -> None:
    api = await stage.api()
    await stage.happened(facts.instance_requested())
    async with following(api, **{"from": "start"}) as follower:
        position = await follower.position()
    async with following(api, last=position) as follower:
        assert types(await follower.take(1)) == ["InstanceRequested"]


async def test_a_stream_can_begin_with_what_was_recorded_since_a_time(stage: Stage) -> None:
    api = await stage.api()
    instance = await stage.happened(facts.instance_requested(), facts.instance_created())
    async with following(api, **{"from": "start"}) as follower:
        await follower.take(2)
    recorded_at = (await stage.connection.jetstream().get_msg(LIFECYCLE, 2)).time
    assert recorded_at is not None
    path = f"/instances/{instance.id}/events"
    async with following(api, path, **{"from": recorded_at.isoformat()}) as follower:
        assert types(await follower.take(1)) == ["InstanceCreated"]
        await stage.happened(facts.instance_started(), instance_id=instance.id)
        assert types(await follower.take(1)) == ["InstanceStarted"]
    async with following(api, path, **{"from": "9999-01-01T00:00:00Z"}) as follower:
        await followed(api, 1)
        await stage.happened(facts.ip_assigned(), instance_id=instance.id)
        assert types(await follower.take(1)) == ["IpAssigned"]
    for long_ago in ("0001-01-01T00:00:00Z", "1970-01-01T00:00:01Z"):
        async with following(api, path, **{"from": long_ago}) as follower:
            assert len(await follower.take(4)) == 4


@pytest.mark.parametrize("begin", ["", "end", "yesterday", "2026-01-31T09:30:00", "2026-13-01T00:00:00Z", "0"])
async def test_a_beginning_that_is_none_is_refused(stage: Stage, begin: str) -> None:
    api = await stage.api()
    answer = await api.client.get("/events", params={"from": begin})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "from")


@pytest.fixture
async def api(stage: Stage) -> RunningApi:
    """One event loop for all examples of a property."""
    return await stage.api()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.integers(0, 4), meanwhile=st.integers(0, 12), pieces=st.lists(st.integers(0, 3), max_size=5))
async def test_however_often_a_client_is_cut_off_it_sees_every_event_once_and_in_order(
    stage: Stage, api: RunningApi, before: int, meanwhile: int, pieces: list[int]
) -> None:
    epoch = (await installation_id(stage.connection.jetstream()) or UUID(int=0)).hex[:8]
    start = await stage.last_sequence()
    end = start + before + meanwhile
    for _ in range(before):
        await stage.happened(facts.instance_requested())

    async def happening() -> None:
        for _ in range(meanwhile):
            await stage.happened(facts.instance_requested())

    seen = [f"{epoch}-{start}"]
    async with asyncio.TaskGroup() as group:
        group.create_task(happening())
        for piece in [*pieces, end]:
            async with following(api, last=seen[-1]) as follower:
                left = end - start - len(seen) + 1
                seen += [message.id for message in await follower.take(min(piece, left))]
    assert [int(event_id.partition("-")[2]) for event_id in seen] == list(range(start, end + 1))


async def test_a_list_says_behind_which_event_to_follow_so_that_nothing_is_missed(stage: Stage) -> None:
    api = await stage.api()

    async def behind() -> str:
        return (await api.client.get("/instances")).headers["last-event-id"]

    async def follows(instance: Instance, last: str | None = None, **query: str) -> bool:
        async with following(api, last=last, **query) as follower:
            (first,) = await follower.take(1)
        return bool(first.json()["data"]["instance"]["id"] == str(instance.id))

    unprojected = await stage.happened(facts.instance_requested())
    assert await follows(unprojected, after=await behind())
    await stage.projector()
    await api.projected(unprojected)
    seen = await behind()
    later = await stage.happened(facts.instance_requested())
    assert await follows(later, after=seen)
    assert await follows(later, last=seen, after=f"{seen.partition('-')[0]}-0"), "the header counts"


async def test_pings_are_comments_that_no_client_takes_for_an_event(stage: Stage) -> None:
    api = await stage.api(ping_seconds=0.05)
    async with api.client.stream("GET", "/events") as stream:
        received = b""
        async for chunk in stream.aiter_raw():
            received += chunk
            if received.count(b": ping\n") >= 3:
                break
    assert re.fullmatch(rb": connected\nid: [0-9a-f]{8}-0\n\n", received.replace(b": ping\n", b""))
    assert stream.headers["content-type"].startswith("text/event-stream")


async def test_a_position_of_another_epoch_or_of_the_future_is_answered_with_a_reset(stage: Stage) -> None:
    api = await stage.api()
    instance = await stage.happened(facts.instance_requested())
    async with following(api, **{"from": "start"}) as follower:
        (known,) = await follower.take(1)
    epoch = known.id.partition("-")[0]
    for strange in (f"{epoch}-99", "00000000-1", "17", "nonsense", f"{epoch}-{10**18}"):
        async with following(api, last=strange) as follower:
            (reset,) = await follower.take(1)
            assert (reset.event, reset.id, reset.json()["last_event_id"]) == ("reset", known.id, strange)
            await stage.happened(facts.instance_requested())
            (live,) = await follower.take(1)
            assert live.event == "InstanceRequested"
            known = live
    async with following(api, f"/instances/{instance.id}/events", last="nonsense", **{"from": "start"}) as follower:
        assert types(await follower.take(2)) == ["reset", "InstanceRequested"]


async def test_a_client_that_does_not_read_is_let_go_and_can_resume(stage: Stage) -> None:
    api, patient = await stage.api(max_backlog=5, stall_seconds=0.3), await stage.api()
    large = facts.a_specification(vllm_args=("x" * 100_000,))  # each event holds the instance after it
    instance = await stage.happened(facts.instance_requested(specification=large))
    host, port = api.url.removeprefix("http://").split(":")
    with socket.socket() as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect((host, int(port)))
        idle.sendall(f"GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n\r\n".encode())
        await followed(api, 1)
        for number in range(1, 101):
            await stage.happened(facts.action_delayed(number=number), instance_id=instance.id)
        await followed(api, 0)
        received = await asyncio.to_thread(_all_of, idle)
    seen = [match.decode() for match in re.findall(rb"id: (\S+)\nevent: ActionDelayed\n", received)]
    assert 0 < len(seen) < 100
    async with following(patient, last=seen[-1]) as follower:
        seen += [message.id for message in await follower.take(100 - len(seen))]
    assert [int(event_id.partition("-")[2]) for event_id in seen] == list(range(2, 102))


def _all_of(connection: socket.socket) -> bytes:
    received = bytearray()
    connection.settimeout(PATIENCE_S)
    while chunk := connection.recv(1_000_000):
        received += chunk
    return bytes(received)


async def test_clients_are_let_go_when_the_service_stops_and_it_stops_at_once(stage: Stage) -> None:
    async with asyncio.timeout(PATIENCE_S), running(stage.settings(shutdown_seconds=10 * PATIENCE_S)) as api:
        client = a_client(api.url, Authorization=f"Bearer {ADMIN_KEY}")
        stream = await client.send(client.build_request("GET", "/events"), stream=True)
    assert b"".join([chunk async for chunk in stream.aiter_raw()]).startswith(b": connected")
    await client.aclose()


async def test_an_event_that_cannot_be_read_disturbs_nobody(stage: Stage) -> None:
    api = await stage.api()
    instance = await stage.happened(facts.instance_requested())
    await stage.connection.jetstream().publish(append_subject(instance.id, "Garbage"), b"\x00")
    await stage.connection.jetstream().publish(append_subject(instance.id, "Empty"), b"")
    with capture_logs():
        async with following(api, **{"from": "start"}) as follower:
            await follower.take(1)
            await stage.happened(facts.instance_created(), instance_id=instance.id)
            assert types(await follower.take(1)) == ["InstanceCreated"]
