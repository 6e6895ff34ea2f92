"""All that the control plane had is lost; its backup brings it back, while the machines have gone on all the time."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from coldstart.backup.backup import back_up
from coldstart.backup.keys import keys, new_key
from coldstart.backup.restore import restore
from coldstart.settings import StackSettings
from services.progress.app import verify_once
from simulator.app import Simulator
from simulator.scenario import Scenario
from simulator.settings import SimulatorSettings
from tests.integration.line import MASTER_SECRET, MODEL, PATIENCE_S, Changes, Line, line

SHOWN = ("id", "name", "status", "version", "created_at", "ready_at", "ip_address", "step", "progress_percent")
WHEN_ASKED: Changes = {"provisioner": {"reconcile_seconds": 3600.0}}
CHAT: Any = {"model": MODEL, "messages": [{"role": "user", "content": "Still there?"}]}


async def test_after_a_total_loss_a_backup_brings_back_what_was_and_shows_what_came_later(
    tmp_path: Path, nats_url: str, database_url: str, accounts: Iterator[str], empty_database_url: str
) -> None:
    file, key_file, there = tmp_path / "backup.age", tmp_path / "key", next(accounts)
    new_key(key_file)
    secret = keys(key_file, None)
    simulator = Simulator(SimulatorSettings(data_dir=tmp_path / "simulator", scenario=Scenario()))
    async with simulator:
        async with line(tmp_path, nats_url, database_url, changes=WHEN_ASKED, simulator=simulator) as lost:
            ready, ended = await asyncio.gather(lost.ready(name="ready"), lost.ready(name="ended"))
            await lost.terminate(ended)
            await lost.heard.until(ended, "InstanceTerminated")
            key = (await lost.http.post("/api-keys", json={"name": "laptop", "role": "user"})).json()["key"]
            assert await served_by(lost, key) == ready
            before = await state(lost, ready, ended)
            await back_up(at(nats_url, database_url), tmp_path / "lost", file, secret)
            later = await lost.ready(name="later")
        target = at(there, empty_database_url)
        _, amounts, _ = await restore(target, tmp_path / "new", file, secret, replicas=1, replace=False)
        assert (amounts.rows["api_keys"], amounts.rows["usage"]) == (1, 1)
        assert (tmp_path / "new/master-secret").read_text() == MASTER_SECRET
        async with line(tmp_path, there, empty_database_url, changes=WHEN_ASKED, simulator=simulator) as back:
            await back.timeline_up_to(ready, before["instances"][0]["version"])
            await back.timeline_up_to(ended, before["instances"][1]["version"])
            assert await state(back, ready, ended) == before
            assert await served_by(back, key) == ready
            (report,) = (await back.http.post("/reconcile", json={})).json()["items"]
            assert {each["instance_id"] for each in report["unknown"]} == {later}
            assert (report["lost"], report["foreign"], report["removed"]) == ([], [], [])
            verdict = await verify_once(back.settings.progress)
            assert (verdict.differences, verdict.unreadable) == ((), ())
            await back.http.post("/reconcile", json={"delete_unknown": True})
            await back.terminate(ready)
            await back.heard.until(ready, "InstanceTerminated")
            async with asyncio.timeout(PATIENCE_S):
                while await back.remaining():  # the cloud takes its time to delete
                    await back.http.post("/reconcile", json={"delete_unknown": True})


def at(nats_url: str, database_url: str) -> StackSettings:
    return StackSettings(
        nats_url=SecretStr(nats_url), database_url=SecretStr(database_url), master_secret=SecretStr(MASTER_SECRET)
    )


async def served_by(running: Line, key: str) -> str:
    """Which instance answers this key, as soon as one can."""
    headers = {"Authorization": f"Bearer {key}", "X-Wait-For-Ready": "20"}
    answer = await running.http.post("/v1/chat/completions", json=CHAT, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-coldstart-instance"]


async def state(running: Line, *instances: str) -> dict[str, Any]:
    """What people see of these, and what was used, once the one request is counted."""
    async with asyncio.timeout(PATIENCE_S):
        while not (used := (await running.http.get("/usage", params={"group_by": "key"})).json()["items"]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # nobody announces a batch
    shown = [await running.show(each) for each in instances]
    return {
        "instances": [{name: each[name] for name in SHOWN} for each in shown],
        "timelines": [await running.timeline(each) for each in instances],
        "keys": (await running.http.get("/api-keys")).json()["items"],
        "usage": used,
    }
