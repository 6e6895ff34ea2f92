"""What others do to the server of a ready instance is told, and requests go where it serves by then."""

from pathlib import Path
from typing import Any

import openai
import pytest

from simulator.scenario import Scenario
from tests.integration.line import MODEL, Changes, Line, line

WATCHFUL: Changes = {"provisioner": {"reconcile_seconds": 0.3, "lost_after_seconds": 0.3}}
SLOW_TO_LOAD = Scenario(model_load=1.5)
"""Longer than health needs to lose it, so that it has to be seen coming back."""


async def test_a_server_at_another_address_is_watched_and_asked_there(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url, scenario=SLOW_TO_LOAD, changes=WATCHFUL) as running:
        instance_id = await running.ready()
        before = (await running.show(instance_id))["ip_address"]
        await happens(running, instance_id, "readdress")
        changed = await running.heard.until(instance_id, "AddressChanged")
        address = changed["data"]["event"]["ip_address"]
        assert address != before
        await running.heard.until(instance_id, "HealthRestored")
        assert await served_by(running) == instance_id
        shown = await running.show(instance_id)
        assert (shown["status"], shown["ip_address"]) == ("ready", address)
        assert "ServerStopped" not in running.heard.types(instance_id)


@pytest.mark.parametrize(("instance_type", "erased"), [("L4-1-24G", False), ("L40S-1-48G", True)])
async def test_a_server_that_is_stopped_and_started_is_ready_again_also_without_its_models(
    tmp_path: Path, nats_url: str, database_url: str, instance_type: str, erased: bool
) -> None:
    async with line(tmp_path, nats_url, database_url, scenario=SLOW_TO_LOAD, changes=WATCHFUL) as running:
        instance_id = await running.ready(instance_types=[instance_type])
        await happens(running, instance_id, "stop")
        stopped = await running.heard.until(instance_id, "ServerStopped")
        assert stopped["data"]["instance"]["status"] == "unavailable"
        assert stopped["data"]["event"]["scratch_erased"] is erased
        await happens(running, instance_id, "start")
        await running.heard.until(instance_id, "ServerRestarted")
        await running.heard.until(instance_id, "HealthRestored")
        assert await served_by(running) == instance_id
        assert (await running.show(instance_id))["status"] == "ready"


async def test_a_server_that_vanishes_fails_its_instance_and_gets_no_more_requests(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url, changes=WATCHFUL) as running:
        instance_id = await running.ready()
        assert await served_by(running) == instance_id
        await happens(running, instance_id, "kill")
        lost = await running.heard.until(instance_id, "ServerLost")
        assert lost["data"]["instance"]["status"] == "failed"
        await running.heard.until(instance_id, "ResourcesReleased")
        assert not await running.remaining()
        resolved = (await running.http.get("/models/resolve", params={"model": MODEL})).json()
        assert [each for each in resolved["instances"] if each["eligible"]] == []
        answer = await running.http.post("/v1/chat/completions", json=A_QUESTION)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_not_ready")


A_QUESTION: Any = {"model": MODEL, "messages": [{"role": "user", "content": "Where are you?"}]}


async def served_by(running: Line) -> str:
    """Who answers an OpenAI client, as soon as somebody can."""
    patience = {"X-Wait-For-Ready": "20"}
    async with openai.AsyncOpenAI(base_url=f"{running.api_url}/v1", api_key=running.key, max_retries=0) as client:
        answer = await client.chat.completions.with_raw_response.create(**A_QUESTION, extra_headers=patience)
        assert answer.parse().choices[0].message.content
        return str(answer.headers["x-coldstart-instance"])


async def happens(running: Line, instance_id: str, what: str) -> None:
    """At the provider, to this instance's server."""
    server_id = running.heard.of(instance_id)[-1]["data"]["instance"]["resources"]["server_id"]
    answer = await running.control.post(f"servers/{server_id}/{what}", timeout=30)
    assert answer.status_code == 200, answer.text
