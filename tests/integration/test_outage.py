"""The provider is down while an instance ends, or a crash left something behind: in the end nothing is lost or hurt."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.integration.line import INSTANCE_TAG, Changes, Line, line

ZONE = "fr-par-2"
INSTALLATION_TAG = "coldstart:installation:"
AN_HOUR: Changes = {"provisioner": {"backoff_seconds": 0.002, "longest_release_backoff_seconds": 0.3}}
"""At a thousandth: in production the first pause is two seconds and the longest five minutes."""
AN_HOUR_S = 3.6
OFTEN: Changes = {"provisioner": {"reconcile_seconds": 0.5}}


async def test_a_release_outlasts_an_hour_without_the_provider_and_tells_what_it_waited_for(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url, changes=AN_HOUR) as running:
        instance_id = await running.ready(zones=[ZONE])
        await running.pause()
        await running.terminate(instance_id)
        asked = asyncio.get_running_loop().time()
        tries = 0
        while asyncio.get_running_loop().time() < asked + AN_HOUR_S:
            tries += 1
            await running.heard.until(instance_id, "ActionDelayed", count=tries)
        assert "InstanceTerminated" not in running.heard.types(instance_id)
        assert (await running.remaining())["servers"]
        await running.resume()
        ended = await running.heard.until(instance_id, "InstanceTerminated")
        assert not await running.remaining()
        rows = await running.timeline_up_to(instance_id, ended["data"]["instance"]["version"])
        waits = [row["data"] for row in rows if row["type"] == "ActionDelayed"]
        assert len(waits) >= tries
        assert {wait["action"] for wait in waits} == {"release"}
        assert "cloud_unavailable" in {wait["code"] for wait in waits}
        assert all(wait["reason"] and wait["next_try_at"] for wait in waits)
        assert [wait["number"] for wait in waits] == list(range(1, len(waits) + 1))


async def test_what_a_crash_left_of_an_ended_instance_goes_and_what_is_not_ours_stays(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url, changes=OFTEN) as running:
        ended_id, living_id = await asyncio.gather(running.ready(zones=[ZONE]), running.ready(zones=[ZONE]))
        await running.terminate(ended_id)
        await running.heard.until(ended_id, "InstanceTerminated")
        ours = await installation_tag(running, living_id)
        living = (await running.remaining())["servers"]
        left = await a_server(running, ours, INSTANCE_TAG + ended_id)
        unknown = await a_server(running, ours, f"{INSTANCE_TAG}{uuid4()}")
        strange = await a_server(running, f"{INSTALLATION_TAG}{uuid4()}", INSTANCE_TAG + ended_id)
        await gone(running, left)
        assert set((await running.remaining())["servers"]) == {*living, unknown, strange}
        assert len((await running.remaining())["block_volumes"]) == 3
        assert (await running.show(living_id))["status"] == "ready"


async def installation_tag(running: Line, instance_id: str) -> str:
    servers = (await running.account())["servers"]
    tags = next(server["tags"] for server in servers if INSTANCE_TAG + instance_id in server["tags"])
    return next(str(tag) for tag in tags if tag.startswith(INSTALLATION_TAG))


async def a_server(running: Line, *tags: str) -> str:
    """Made behind everybody's back; its id."""
    settings = running.simulator.settings
    order: Mapping[str, Any] = {
        "name": "left",
        "commercial_type": "L4-1-24G",
        "image": "ubuntu_noble_gpu_os_13_nvidia",
        "project": str(settings.project_id),
        "dynamic_ip_required": True,
        "tags": ["coldstart", *tags],
    }
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{running.simulator.url}/instance/v1/zones/{ZONE}/servers",
            json=order,
            headers={"X-Auth-Token": settings.secret_key.get_secret_value()},
        )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["server"]["id"])


async def gone(running: Line, server_id: str) -> None:
    """With its volume, which outlives it for a moment."""
    async with asyncio.timeout(120):
        while True:
            account = await running.account()
            server = next(each for each in account["servers"] if each["id"] == server_id)
            if server["deleted_at"] and not set(server["volumes"]) & set(account["remaining"]["block_volumes"]):
                return
            await asyncio.sleep(0.1)  # nobody announces what reconciliation does to what no journal knows
