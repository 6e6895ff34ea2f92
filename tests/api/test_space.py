"""A disk of NATS or PostgreSQL that runs full: nothing is launched any more, and what ends instances goes on."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from asyncpg import DiskFullError
from pydantic import SecretStr

from services.api.control.problems import _from_exception
from shared.lifecycle.status import Status
from tests.api.stage import BODY, RunningApi, Stage, until
from tests.lifecycle import facts
from tests.lifecycle import histories as h
from tests.nats_proxy import Operation, nats_proxy

GB = 10**9


class Disk:
    """Both stores are on it. It has 100 GB."""

    def __init__(self) -> None:
        self.free_gb = 50.0

    def usage(self, _: Path) -> Any:
        return shutil._ntuple_diskusage(100 * GB, 0, int(self.free_gb * GB))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr("shared.store_space.shutil.disk_usage", disk.usage)
    monkeypatch.setattr("shared.store_space.EVERY_S", 0.01)
    return disk


FOLDERS = {"store_folders": {"nats": Path("/nats"), "postgres": Path("/postgres")}}


async def seen(api: RunningApi, space: str) -> dict[str, Any]:
    """/readyz, which is 200, once it says so of both stores."""
    answers: list[httpx.Response] = []

    async def told() -> bool:
        answers.append(await api.client.get("/readyz"))
        stores = [(each["store"], each["space"]) for each in answers[-1].json().get("stores", ())]
        return stores == [("nats", space), ("postgres", space)]

    await until(told)
    assert answers[-1].status_code == 200
    return dict(answers[-1].json())


async def test_with_the_reserve_alone_nothing_is_launched_and_everything_can_be_ended(stage: Stage, disk: Disk) -> None:
    api = await stage.api(**FOLDERS)
    key = {"Idempotency-Key": "before"}
    before = await api.client.post("/instances", json=BODY, headers=key)
    assert before.status_code == 202
    ending, draining, failed = [
        await stage.happened(*history)
        for history in (h.a_launch(), h.a_ready_instance(), h.IN_STATUS[Status.STARTUP_FAILED])
    ]
    disk.free_gb = 0.9
    await seen(api, "reserved")
    refused = await api.client.post("/instances", json=BODY)
    assert (refused.status_code, refused.json()["code"]) == (503, "no_space_left")
    assert refused.headers["Retry-After"] == "60"
    assert refused.json()["detail"] == (
        "There is no space left on the disk of NATS (900 MB of 100.0 GB are free) and on the disk of PostgreSQL (900 "
        "MB of 100.0 GB are free). The rest is kept for ending instances. Make room; then launches are accepted again."
    )
    for intent in ("reinstall", "relaunch"):
        answer = await api.client.post(f"/instances/{failed.id}/{intent}")
        assert (answer.status_code, answer.json()["code"]) == (503, "no_space_left")
    again = await api.client.post("/instances", json=BODY, headers=key)
    assert (again.status_code, again.json()["id"]) == (202, before.json()["id"])
    assert (await api.client.delete(f"/instances/{ending.id}")).status_code == 202
    assert (await api.client.post(f"/instances/{draining.id}/drain")).status_code == 202
    disk.free_gb = 50.0
    await seen(api, "enough")
    assert (await api.client.post("/instances", json=BODY)).status_code == 202


async def test_little_space_is_a_warning_long_before(stage: Stage, disk: Disk) -> None:
    disk.free_gb = 4.0
    api = await stage.api(**FOLDERS)
    told = await seen(api, "low")
    assert told["stores"][0] == {"store": "nats", "space": "low", "free_bytes": 4 * GB, "total_bytes": 100 * GB}
    unknown = await api.client.get("/readyz", headers={"Authorization": ""})
    assert unknown.json()["stores"][0] == {"store": "nats", "space": "low"}
    assert told["warnings"][0] == "Space is running low on the disk of NATS: 4.0 GB of 100.0 GB are free."
    assert unknown.json()["warnings"][0] == "Space is running low on the disk of NATS."
    assert 'coldstart_store_free_bytes{store="postgres"} 4e+09' in (await api.client.get("/metrics")).text
    assert (await api.client.post("/instances", json=BODY)).status_code == 202


@pytest.mark.usefixtures("disk")
async def test_limits_are_settings(stage: Stage) -> None:
    limits = {"reserved_space_bytes": 60 * GB, "reserved_space_share": 0.55}
    api = await stage.api(**FOLDERS, **limits)
    assert "Nothing can be launched" in (await seen(api, "reserved"))["warnings"][1]


async def test_an_append_that_gets_no_answer_on_a_full_disk_says_so(stage: Stage, disk: Disk) -> None:
    instance = await stage.happened(facts.instance_requested())
    async with nats_proxy(stage.nats_url) as proxy:
        api = await stage.api(nats_url=SecretStr(proxy.url), journal_timeout_seconds=3.0, **FOLDERS)
        disk.free_gb = 0.0
        await seen(api, "reserved")

        async def swallow(operation: Operation) -> bool:
            return not operation.subject.startswith("journal.")

        proxy.to_server = swallow
        answer = await api.client.delete(f"/instances/{instance.id}")
        assert (answer.status_code, answer.json()["code"]) == (503, "journal_unavailable")
        assert answer.json()["detail"].startswith(
            "There is no space left on the disk of NATS (0 MB of 100.0 GB are free)"
        )
        readiness = await api.client.get("/readyz")
        assert readiness.status_code == 503
        assert "There is no space left on the disk of NATS (0 MB of 100.0 GB are free)" in readiness.json()["detail"]
        await stage.stack.aclose()


def test_a_database_without_space_is_told_apart_from_one_that_does_not_answer() -> None:
    problem = _from_exception(DiskFullError("could not extend file: No space left on device"))
    assert problem is not None
    assert (problem.status, problem.code) == (503, "database_unavailable")
    assert problem.detail.startswith("There is no space left on the disk of PostgreSQL")
