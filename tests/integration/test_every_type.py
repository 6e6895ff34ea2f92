"""Every GPU type, in every zone that sells it, becomes an instance that answers, however unkind the cloud is.

`make test` launches the smallest type of each GPU in each zone, `make types` (COLDSTART_EVERY_TYPE=1) all of them.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from tests.integration.fleet import REFUSED_ORDERS, unkind
from tests.integration.line import MODEL, Line, line

PATIENCE_S = 100.0
UNUSABLE = {"RENDER-S"}


async def test_every_type_in_every_zone_is_ready_with_its_scratch_storage_and_leaves_what_refused_orders_left(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    """Those volumes are told by reconciliation, and never deleted."""
    async with line(tmp_path, nats_url, database_url, scenario=unkind()) as running:
        await running.offered()
        offered = (await running.http.get("/instance-types")).json()["items"]
        assert {kind["name"] for kind in offered if kind["unusable"]} == UNUSABLE
        for kind in UNUSABLE:
            refused = await running.http.post("/instances", json={"model": MODEL, "instance_types": [kind]})
            assert refused.status_code == 422, refused.text
        sold = [(kind, zone) for kind in offered if not kind["unusable"] for zone in kind["zones"]]
        assert len(sold) == 26
        wanted = sold if os.environ.get("COLDSTART_EVERY_TYPE") else _smallest(sold)
        launched = await asyncio.gather(*(_launched(running, kind["name"], zone) for kind, zone in wanted))
        volumes = (await running.account())["volumes"]
        scratch = {volume["server_id"]: volume["size"] for volume in volumes if volume["kind"] == "scratch"}
        for (kind, _), (_, server_id) in zip(wanted, launched, strict=True):
            assert scratch.get(server_id, 0) == (kind["scratch_gb"] or 0) * 10**9, kind["name"]
        await asyncio.gather(*(_ended(running, instance_id) for instance_id, _ in launched))
        (report,) = (await running.http.post("/reconcile", json={"delete_unknown": True})).json()["items"]
        left = [each["id"] for each in report["unknown"]]
        assert len(left) == REFUSED_ORDERS
        assert await running.remaining() == {"block_volumes": left}


def _smallest(sold: list[tuple[Any, str]]) -> list[tuple[Any, str]]:
    """The smallest type of each GPU in each zone."""
    smallest: dict[tuple[str, str], tuple[Any, str]] = {}
    for kind, zone in sorted(sold, key=lambda each: int(each[0]["gpus"])):
        smallest.setdefault((kind["gpu"], zone), (kind, zone))
    assert len(smallest) == 8
    return list(smallest.values())


async def _launched(running: Line, kind: str, zone: str) -> tuple[str, str]:
    """The instance and its server, once it is ready as the type and in the zone that were asked for."""
    instance_id = await running.create(instance_types=[kind], zones=[zone])
    ends = ("StartupFailed", "ProvisioningFailed", "InstanceFailed")
    event = await running.heard.until(instance_id, "InstanceReady", *ends, within_s=PATIENCE_S)
    instance = event["data"]["instance"]
    assert (instance["status"], instance["instance_type"], instance["zone"]) == ("ready", kind, zone)
    volumes = {volume["id"]: volume.get("scratch", False) for volume in instance["resources"]["volumes"]}
    assert list(volumes.values()).count(False) == 1
    return instance_id, str(instance["resources"]["server_id"])


async def _ended(running: Line, instance_id: str) -> None:
    await running.terminate(instance_id)
    await running.heard.until(instance_id, "InstanceTerminated", within_s=PATIENCE_S)
