"""What was recorded is deleted only when somebody says so, and when nothing of it is left at a provider."""

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.commands import asking
from coldstart.embedded.folder import ServerFolder
from coldstart.embedded.nats import EmbeddedNats
from coldstart.stack.belongings import NotOurs, belongings
from coldstart.stack.files import made_once, note_clouds
from coldstart.stack.standing import JournalUnreadable, standing
from tests.coldstart.recorded import a_journal
from tests.coldstart.told import ID
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts

REAL = frozenset({"scaleway"})
STANDING = {
    "requested": (f.instance_requested(),),
    "ready": h.a_ready_instance(),
    "failed, not released": h.a_failed_start(),
    "kept for inspection": h.a_failed_start(keep=True),
    "terminating": h.a_terminating_instance(),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As a stack leaves it that was stopped."""
    made = tmp_path / "data"
    made_once(made, "master-secret")
    made_once(made, "admin-key", "cs-admin-")
    with ServerFolder(made, "stack").locked():
        pass
    (made / "logs").mkdir()
    (made / "logs/api.log").touch()
    (made / "simulator/hosts").mkdir(parents=True)
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(made))
    return made


def is_there(folder: Path) -> bool:
    return folder.exists()


async def purge(*words: str) -> Any:
    """In a thread, since the command has an event loop of its own."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["purge", *words]))


@pytest.mark.parametrize("history", STANDING.values(), ids=STANDING)
async def test_whoever_still_holds_something_keeps_the_folder(folder: Path, history: Facts) -> None:
    note_clouds(folder, REAL)
    async with a_journal(folder, history):
        pass
    result = await purge("--yes")
    assert result.exit_code == 1
    assert result.stderr.startswith("This installation still holds:\n  qwen  scaleway")
    assert "coldstart instances terminate" in result.stderr
    assert (folder / "nats/data").exists()


async def test_standing_are_those_that_are_not_released_with_what_they_cost(tmp_path: Path) -> None:
    async with a_journal(tmp_path, *STANDING.values(), h.a_terminated_instance()) as url:
        found = await standing(url)
    assert len(found) == len(STANDING)
    assert {each.status for each in found}.isdisjoint({"terminated"})


async def test_a_journal_that_is_not_there_is_not_an_empty_one(tmp_path: Path) -> None:
    async with EmbeddedNats(tmp_path) as nats:
        with pytest.raises(JournalUnreadable, match="no stream LIFECYCLE"):
            await standing(nats.url)
    with pytest.raises(JournalUnreadable):
        await standing(nats.url)


async def test_when_nobody_can_say_the_folder_is_kept_and_it_says_how_to_look(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_clouds(folder, REAL)
    no_journal = await purge("--yes")
    async with a_journal(folder, h.a_terminated_instance()):
        pass
    not_configured = await purge("--yes")
    monkeypatch.setenv("SCW_SECRET_KEY", "00000000-0000-4000-8000-000000000000")
    monkeypatch.setenv("SCW_ACCESS_KEY", "SCWXXXXXXXXXXXXXXXXX")
    monkeypatch.setenv("SCW_DEFAULT_PROJECT_ID", "00000000-0000-4000-8000-000000000001")
    monkeypatch.setenv("SCW_API_URL", "http://127.0.0.1:9")
    unreachable = await purge("--yes")
    for result, why in (
        (no_journal, "the journal cannot be read"),
        (not_configured, "scaleway cannot be asked"),
        (unreachable, "the providers could not be asked: cloud_unreachable"),
    ):
        assert (result.exit_code, why in result.stderr) == (1, True), result.stderr
        assert "coldstart reconcile. Or look for the tag `coldstart` at the provider." in result.stderr
    assert (folder / "nats/data").exists()


async def test_what_was_only_simulated_goes_with_the_folder_though_instances_stand(folder: Path) -> None:
    note_clouds(folder, frozenset({"simulated"}))
    async with a_journal(folder, h.a_ready_instance()):
        pass
    assert (await purge()).exit_code == 2
    assert (folder / "master-secret").exists()
    result = await purge("--yes")
    assert (result.exit_code, result.stdout) == (0, f"{folder}  purged\n")
    assert not is_there(folder)


async def test_a_folder_of_an_earlier_version_is_judged_by_the_addresses(folder: Path) -> None:
    simulated = tuple(
        fact.model_copy(update={"ip_address": "127.0.9.1"}) if fact.type() == "IpAssigned" else fact
        for fact in h.a_ready_instance()
    )
    async with a_journal(folder, simulated):
        pass
    assert (await purge("--yes")).exit_code == 0


async def test_while_a_stack_runs_there_nothing_is_deleted(folder: Path) -> None:
    note_clouds(folder, frozenset({"simulated"}))
    with ServerFolder(folder, "stack").locked():
        result = await purge("--yes")
    assert (result.exit_code, f"in use by process {os.getpid()}" in result.stderr) == (1, True)
    assert (folder / "master-secret").exists()


async def test_on_a_terminal_the_word_is_typed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note_clouds(folder, frozenset({"simulated"}))
    monkeypatch.setattr(asking, "somebody_is_there", lambda: True)
    refused = await asyncio.to_thread(lambda: CliRunner().invoke(app, ["purge"], input="y\n"))
    assert (refused.exit_code, (folder / "master-secret").exists()) == (1, True)
    assert "  master-secret\n" in refused.stderr
    done = await asyncio.to_thread(lambda: CliRunner().invoke(app, ["purge"], input="purge\n"))
    assert (done.exit_code, is_there(folder)) == (0, False)


async def test_an_installation_that_was_never_started_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_once(tmp_path / "data", "master-secret")
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path / "data"))
    assert (await purge("--yes")).exit_code == 0
    assert not (tmp_path / "data").exists()


def test_only_what_coldstart_made_is_deleted_and_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "hosts").mkdir(parents=True)
    (elsewhere / "lock").touch()
    for name in ("notes.txt", "clouds.yaml", "master-secret.backup", "logs/mine.txt"):
        (folder / name).touch()
    (folder / f"master-secret.{16 * 'a'}").touch()  # of a start that was killed
    (folder / "logs/link.log").symlink_to(elsewhere / "lock")
    (folder / "archive" / ID).mkdir(parents=True)
    (folder / "archive/mine.txt").touch()
    (folder / "nats").mkdir()
    (folder / "postgres").symlink_to(elsewhere)
    found = belongings(folder)
    kept = {"notes.txt", "clouds.yaml", "master-secret.backup", "nats", "postgres"}
    assert {path.name for path in found.left} == {*kept, "mine.txt", "link.log"}
    assert folder / "archive" / ID in found.ours
    found.delete()
    assert {path.name for path in folder.iterdir()} == {*kept, "logs", "archive"}
    assert (elsewhere / "hosts").exists()


@pytest.mark.real
def test_a_folder_that_is_a_mounted_disk_is_emptied_and_stays(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", volume], capture_output=True, check=False).returncode:
        pytest.skip("only root mounts")
    try:
        made_once(volume, "master-secret")
        belongings(volume).delete()
        assert list(volume.iterdir()) == []
    finally:
        subprocess.run(["umount", volume], check=True)


def test_a_folder_that_is_none_of_ours_is_refused(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "nats").mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(folder)
    for place, why in ((home, "no data folder"), (link, "is a link"), (tmp_path / "none", "no folder")):
        with pytest.raises(NotOurs, match=why):
            belongings(place)
