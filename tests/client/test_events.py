"""Events by either client: in order, without a gap or a repetition, whatever becomes of the api."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from coldstart_client import (
    ApiError,
    Connected,
    DeploymentEvent,
    Estimated,
    EventsLost,
    InstanceEvent,
    StreamLost,
    Unauthenticated,
    UnexpectedAnswer,
)
from coldstart_client.answers import Status
from coldstart_client.messages import Message
from tests.api.deployed import put
from tests.api.fakes import free_port
from tests.api.stage import ADMIN_KEY, MODEL, Stage
from tests.client.conftest import MakeClient
from tests.coldstart.fake_api import Answer, FakeApi, problem, stream
from tests.coldstart.told import LAUNCH, estimate
from tests.coldstart.told import message as sent
from tests.console.test_fleet import api_at
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts

KEY = "a-key"


def recent(history: Facts) -> Facts:
    return f.timed(*history, start=datetime.now(UTC) - timedelta(minutes=10), seconds=5)


async def next_of(messages: AsyncIterator[Message]) -> Message:
    """The next one that is no estimate: of these there may be any number."""
    while isinstance(message := await anext(messages), Estimated):
        pass
    return message


async def test_events_go_on_without_a_gap_or_a_repetition_when_the_api_was_killed_in_between(
    stage: Stage, client_of: MakeClient
) -> None:
    port = free_port()
    requested, *rest = recent(h.a_ready_instance())
    instance = await stage.happened(requested)
    async with client_of(f"http://127.0.0.1:{port}", ADMIN_KEY) as client:
        messages = client.events.messages(begin="start", patience_s=60.0)
        async with api_at(stage, port):
            opened, first = await next_of(messages), await next_of(messages)
            assert isinstance(opened, Connected)
            assert isinstance(first, InstanceEvent)
            assert (opened.away_s, first.type) == (None, "InstanceRequested")
        for fact in rest[:6]:
            await stage.happened(fact, instance_id=instance.id)
        async with api_at(stage, port):
            again = await next_of(messages)
            assert isinstance(again, Connected)
            assert (again.position, (again.away_s or 0.0) > 0.0) == (first.position, True)
            for fact in rest[6:]:
                await stage.happened(fact, instance_id=instance.id)
            events = [first]
            while len(events) < 1 + len(rest):
                event = await next_of(messages)
                assert isinstance(event, InstanceEvent)
                events.append(event)
            await messages.aclose()
    assert [event.type for event in events] == [fact.type() for fact in (requested, *rest)]
    assert [event.instance.version for event in events] == list(range(1, len(events) + 1))
    assert (events[-1].instance.id, events[-1].instance.status) == (instance.id, Status.READY)


async def test_events_of_one_instance_from_a_moment_on_or_behind_a_position(
    stage: Stage, client_of: MakeClient
) -> None:
    api = await stage.api()
    await stage.happened(*h.a_launch())
    instance = await stage.happened(f.instance_requested())
    async with client_of(api.url, ADMIN_KEY) as client:
        events = client.events.follow(instance_id=instance.id, begin=datetime.now(UTC) - timedelta(hours=1))
        first = await anext(events)
        await events.aclose()
        assert isinstance(first, InstanceEvent)
        assert (first.type, first.instance.id) == ("InstanceRequested", instance.id)
        position = await client.events.position()
        await stage.happened(f.provisioning_failed(), instance_id=instance.id)
        events = client.events.follow(after=position)
        assert (await anext(events)).type == "ProvisioningFailed"
        await events.aclose()


async def test_an_event_of_a_deployment_says_what_happened_in_words(stage: Stage, client_of: MakeClient) -> None:
    api = await stage.api()
    await put(api, "chat", {"model": MODEL})
    async with client_of(api.url, ADMIN_KEY) as client:
        events = client.events.follow(begin="start")
        event = await anext(events)
        await events.aclose()
    assert isinstance(event, DeploymentEvent)
    assert (event.type, event.deployment.name, bool(event.words)) == ("DeploymentCreated", "chat", True)


async def test_a_place_that_the_stream_does_not_have_is_an_error_that_says_where_to_begin_again(
    stage: Stage, client_of: MakeClient
) -> None:
    api = await stage.api()
    async with client_of(api.url, ADMIN_KEY) as client:
        with pytest.raises(EventsLost) as lost:
            await anext(client.events.follow(after="ffffffff-7"))
        await stage.happened(f.instance_requested())
        events = client.events.follow(after=lost.value.position)
        assert (await anext(events)).type == "InstanceRequested"
        await events.aclose()


async def test_what_else_a_stream_has_is_told_apart_from_events(api: FakeApi, client_of: MakeClient) -> None:
    api.says("GET", "/events", stream(LAUNCH[:1], more=estimate(100.0, 200.0) + sent(LAUNCH[1]), hold=True))
    async with client_of(api.url, KEY) as client:
        messages = client.events.messages()
        kinds = [type(await anext(messages)) for _ in range(4)]
        await messages.aclose()
    assert kinds == [Connected, InstanceEvent, Estimated, InstanceEvent]


@pytest.mark.parametrize("away", [Answer(b"", 502), problem(503, "Not now", "Later."), problem(429, "Slow", "Down.")])
async def test_a_stream_waits_for_an_api_that_comes_back(api: FakeApi, client_of: MakeClient, away: Answer) -> None:
    api.says("GET", "/events", stream(LAUNCH[:1]), away, stream(LAUNCH[1:2], position="0a0b0c0d-1", hold=True))
    async with client_of(api.url, KEY) as client:
        events = client.events.follow()
        assert [(await anext(events)).type for _ in range(2)] == [event.type for event in LAUNCH[:2]]
        await events.aclose()
    assert [asked.headers.get("last-event-id") for asked in api.asked] == [None, "0a0b0c0d-1", "0a0b0c0d-1"]


async def test_a_stream_is_lost_when_the_api_stays_away_for_too_long(api: FakeApi, client_of: MakeClient) -> None:
    api.says("GET", "/events", stream(LAUNCH[:1]), problem(503, "Not now", "Later."))
    async with client_of(api.url, KEY) as client:
        events = client.events.follow(patience_s=0.0)
        await anext(events)
        with pytest.raises(StreamLost, match=r"lost http.*Not now: Later"):
            await anext(events)


@pytest.mark.parametrize("status", [401, 404, 503])
async def test_a_stream_that_never_opened_is_refused_at_once(api: FakeApi, client_of: MakeClient, status: int) -> None:
    api.says("GET", "/events", problem(status, "No", "Because."))
    async with client_of(api.url, KEY) as client:
        with pytest.raises(ApiError, match=r"^No: Because\.$"):
            await anext(client.events.follow())
    assert len(api.asked) == 1


async def test_a_key_that_was_revoked_meanwhile_ends_the_stream(api: FakeApi, client_of: MakeClient) -> None:
    api.says("GET", "/events", stream(LAUNCH[:1]), problem(401, "A valid API key is needed", "Send one."))
    async with client_of(api.url, KEY) as client:
        events = client.events.follow()
        await anext(events)
        with pytest.raises(Unauthenticated):
            await anext(events)


@pytest.mark.parametrize(
    "data", [b"data: <html>\n\n", b'data: {"type": "X"}\n\n', b'data: {"eta": {}, "instance_id": "x"}\n\n']
)
async def test_what_cannot_be_read_is_an_error_of_its_own(api: FakeApi, client_of: MakeClient, data: bytes) -> None:
    api.says("GET", "/events", stream([], more=data))
    async with client_of(api.url, KEY) as client:
        with pytest.raises(UnexpectedAnswer):
            await anext(client.events.follow())
