"""What a start says while it lasts, what it refuses to begin, and how the clouds are."""

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from coldstart.api_client import Api
from coldstart.clouds import changes
from coldstart.providers import names
from coldstart.settings import SettingsInvalid, StackSettings
from coldstart.slow_steps import telling_slow_steps
from coldstart.stack.files import MASTER_SECRET, SIMULATED, clouds, made_once, note_clouds
from coldstart.stack.simulated import holds_servers
from coldstart.stack.stack import NoRoom, OtherCloud, stack
from tests.coldstart.fake_api import FakeApi, values


class Usage(NamedTuple):
    total: int
    used: int
    free: int


async def test_a_step_that_lasts_is_told_and_a_quick_one_is_not() -> None:
    said, twice = [], asyncio.Event()

    def say(line: str) -> None:
        said.append(line)
        if len(said) > 1:
            twice.set()

    with telling_slow_steps(say, slow_s=0.01) as begin:
        begin("the quick one")
        begin("NATS")
        async with asyncio.timeout(120):
            await twice.wait()
    assert set(said) == {"still starting NATS …"}


async def refused(data_dir: Path, *, simulated: bool) -> str:
    with pytest.raises((NoRoom, OtherCloud)) as refusal:
        async with stack(StackSettings(data_dir=data_dir, api_port=0), simulated=simulated):
            pass
    return str(refusal.value)


async def test_a_full_disk_is_said_before_anything_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 12_000_000))
    assert "12 MB are free" in await refused(tmp_path, simulated=True)
    assert not (tmp_path / "nats").exists()


async def test_an_installation_that_has_recorded_something_starts_with_less_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its instances can be ended only while it runs. Here it goes on to the server, whose data are no server's."""
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats/data").write_text("no folder")
    made_once(tmp_path, MASTER_SECRET)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 12_000_000))
    assert "12 MB are free" in await refused(tmp_path, simulated=True)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 70_000_000))
    with pytest.raises(FileExistsError):
        await refused(tmp_path, simulated=True)


async def test_a_simulated_cloud_is_not_put_in_the_place_of_a_real_one(tmp_path: Path) -> None:
    note_clouds(tmp_path, frozenset({SIMULATED, "scaleway"}))
    assert "was used with scaleway" in await refused(tmp_path, simulated=True)


async def test_a_real_cloud_is_not_put_in_the_place_of_a_simulated_one_that_has_servers(tmp_path: Path) -> None:
    assert not holds_servers(tmp_path)
    (tmp_path / "simulator").mkdir()
    (tmp_path / "simulator/account.json").write_text("{")
    assert "was used with the simulated cloud" in await refused(tmp_path, simulated=False)


async def test_settings_that_were_refused_do_not_bind_the_data_folder_to_a_cloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCW_ACCESS_KEY", "no key of Scaleway's")
    with pytest.raises(SettingsInvalid, match="SCW_ACCESS_KEY"):
        async with stack(StackSettings(data_dir=tmp_path, api_port=0), simulated=False):
            pass
    assert clouds(tmp_path) is None


@pytest.mark.parametrize("variable", ["SCW_ACCESS_KEY", "SCW_SECRET_KEY"])
def test_one_of_the_two_keys_means_scaleway_and_never_a_simulated_cloud(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "a key")
    assert names() == "Scaleway"


async def test_a_cloud_is_told_when_it_cannot_be_used_and_when_it_can_again(api: FakeApi) -> None:
    def told(reason: str | None, *limits: str, year: int = 2026) -> Any:
        checks = [{"subject": "quota", "outcome": "limited", "detail": limit} for limit in limits]
        passed = {"subject": "zones", "outcome": "passed", "detail": "all are known"}
        status = {"provider": "scaleway", "reason": reason, "since": "2026-01-01T00:00:00Z", "next_try_at": None}
        return values(
            {
                "items": [],
                "next_cursor": None,
                "providers": [{**status, "checks": [passed, *checks], "checked_at": f"{year}-01-02T00:00:00Z"}],
            }
        )

    nothing = values({"items": [], "next_cursor": None, "providers": []})
    api.says(
        "GET",
        "/instance-types",
        nothing,
        told("a former reason", year=2025),
        told("no key"),
        told("no key"),
        told(None),
        told(None, "0 for H100"),
    )
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    with Api(api.url, "key") as client:
        lines = changes(client, {"scaleway"}, datetime(2026, 1, 1, tzinfo=UTC), pause)
        assert await anext(lines) == "scaleway cannot be used: no key"
        assert await anext(lines) == "scaleway can be used"
        assert await anext(lines) == "scaleway can be used, with a limit: quota: 0 for H100"
    assert pauses[0] == pauses[1] < pauses[2]
