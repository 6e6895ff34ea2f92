"""What may be repeated is sent again if the api does not answer; nothing else is."""

import httpx
import pytest

from coldstart_client import NoAnswer, Unavailable
from tests.client.conftest import MakeClient
from tests.coldstart.fake_api import FakeApi, problem, values
from tests.coldstart.told import ID, MODEL, an_instance

NOT_NOW = problem(503, "Not now", "Later.")
MADE = values({**an_instance(), "warnings": []}, 202)


async def test_a_question_and_a_launch_are_sent_again(api: FakeApi, client_of: MakeClient) -> None:
    api.says("GET", f"/instances/{ID}", NOT_NOW, NOT_NOW, values(an_instance()))
    api.says("POST", "/instances", NOT_NOW, MADE)
    async with client_of(api.url, "a-key") as client:
        assert str((await client.instances.get(ID)).id) == ID
        assert str((await client.instances.create(model=MODEL)).id) == ID
    first, second = (asked for asked in api.asked if asked.method == "POST")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body == {"model": MODEL}


async def test_it_is_not_sent_again_for_ever(api: FakeApi, client_of: MakeClient) -> None:
    api.says("GET", f"/instances/{ID}", NOT_NOW)
    async with client_of(api.url, "a-key", retries=1) as client:
        with pytest.raises(Unavailable):
            await client.instances.get(ID)
    assert len(api.asked) == 2


async def test_what_would_act_twice_is_sent_once(api: FakeApi, client_of: MakeClient) -> None:
    api.says("DELETE", f"/instances/{ID}", NOT_NOW)
    api.says("POST", f"/instances/{ID}/drain", NOT_NOW)
    api.says("PUT", "/deployments/chat", NOT_NOW)
    async with client_of(api.url, "a-key") as client:
        with pytest.raises(Unavailable):
            await client.instances.terminate(ID)
        with pytest.raises(Unavailable):
            await client.instances.drain(ID)
        with pytest.raises(Unavailable):
            await client.deployments.create("chat", model=MODEL)
    assert len(api.asked) == 3


async def test_a_lost_answer_is_asked_for_again(client_of: MakeClient) -> None:
    asked = []

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) < 3:
            raise httpx.ReadError("the connection broke")
        return httpx.Response(200, json=an_instance())

    async with client_of("http://api.example.com", "a-key", transport=httpx.MockTransport(answered)) as client:
        assert str((await client.instances.get(ID)).id) == ID
        asked.clear()
        with pytest.raises(NoAnswer, match="the connection broke"):
            await client.instances.terminate(ID)
    assert len(asked) == 1
