"""`coldstart backup` and `restore` of a data folder, with its stack running and stopped."""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.backup.keys import new_key
from coldstart.cli import app
from coldstart.embedded.servers import RunningServers, servers
from coldstart.stack.files import Reach, made_once, note_clouds, write_reach
from coldstart.stack.standing import standing
from shared.postgres.connection import connect_pool, connecting
from shared.postgres.migrate import migrate
from tests.backup.test_contents import an_organization
from tests.lifecycle import histories as h
from tests.progress.service import writing


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[RunningServers]:
    """A data folder with an instance and an organisation, as its stack's servers run there."""
    for name in [name for name in os.environ if name.startswith("COLDSTART_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "data"
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(folder))
    made_once(folder, "master-secret")
    note_clouds(folder, frozenset({"scaleway"}))
    async with servers(folder, None, None) as started:
        async with writing(started.nats_url) as author:
            await author.write(h.a_ready_instance())
        async with connect_pool(started.database_url, name="test", max_size=1) as pool:
            await migrate(pool)
        async with connecting(started.database_url, name="test") as database:
            await an_organization(database)
        reach = Reach("http://127.0.0.1:9", "key", started.nats_url, started.database_url, None, os.getpid())
        write_reach(folder, reach)
        yield started


async def coldstart(*words: object) -> Any:
    """In a thread, since the command has an event loop of its own."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, [*map(str, words)]))


async def test_a_backup_of_a_running_or_stopped_stack_is_restored_and_nothing_less_than_whole(
    running: RunningServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, key, data, new = (tmp_path / name for name in ("backup.age", "key", "data", "new"))
    without_key = await coldstart("backup", file)
    assert (without_key.exit_code, "use --key-file" in without_key.stderr) == (1, True)
    made = await coldstart("backup", file, "--key-file", key, "--new-key")
    assert made.exit_code == 0, made.stderr
    assert "Keep the key apart from the backups" in made.stdout
    in_use = await coldstart("restore", file, "--key-file", key)
    assert (in_use.exit_code, f"{data} is not empty" in in_use.stderr.replace("\n", " ")) == (1, True)
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(new))
    await refuses_whatever_is_not_whole(file, key, new)
    await refuses_a_place_that_cannot_be_made(file, key)
    restored = await coldstart("restore", file, "--key-file", key)
    assert restored.exit_code == 0, restored.stderr
    assert ": events 25, organizations 1\n" in restored.stdout
    for name in ("master-secret", "clouds"):
        assert (new / name).read_text().strip() == (data / name).read_text().strip()
    assert (new / "master-secret").stat().st_mode & 0o777 == 0o600
    async with servers(new, None, None) as again:
        (instance,) = await standing(again.nats_url)
        assert instance.specification.name == (await standing(running.nats_url))[0].specification.name
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(data))
    await a_stopped_stack_is_replaced_by_its_backup(running, file, key, data)


async def refuses_a_place_that_cannot_be_made(file: Path, key: Path) -> None:
    blocked = str(file / "below-a-file")
    result = await asyncio.to_thread(
        lambda: CliRunner(env={"COLDSTART_DATA_DIR": blocked}).invoke(
            app, ["restore", str(file), "--key-file", str(key)]
        )
    )
    assert (result.exit_code, result.stderr.startswith("nothing was restored: ")) == (1, True), result.stderr


async def refuses_whatever_is_not_whole(file: Path, key: Path, new: Path) -> None:
    """In one sentence each, and without making the folder."""
    other, truncated = file.with_name("other-key"), without_its_end(file)
    new_key(other)
    for which, by, why in (
        (file, other, "was encrypted for another key."),
        (truncated, key, "is damaged or truncated."),
        (file.with_name("none"), key, "cannot be read: No such file or directory."),
    ):
        result = await coldstart("restore", which, "--key-file", by)
        assert (result.exit_code, result.stderr) == (1, f"{which} {why}\n")
        assert sorted(path.name for path in new.parent.iterdir() if path.name.startswith("new")) == []


def without_its_end(file: Path) -> Path:
    truncated = file.with_name("truncated.age")
    truncated.write_bytes(file.read_bytes()[:-100])
    return truncated


def put_aside(folder: Path) -> list[Path]:
    return [*folder.glob("data.replaced-*")]


async def a_stopped_stack_is_replaced_by_its_backup(running: RunningServers, file: Path, key: Path, data: Path) -> None:
    for keeping in running.keeping:  # it would start them again
        keeping.cancel()
    await asyncio.wait(running.keeping)
    for server in running.embedded:
        await server.__aexit__(None, None, None)
    (data / "stack.json").unlink()
    made = await coldstart("backup", file, "--key-file", key)
    assert made.exit_code == 0, made.stderr
    result = await coldstart("restore", file, "--key-file", key, "--replace")
    assert result.exit_code == 0, result.stderr
    (aside,) = put_aside(data.parent)
    assert (aside / "master-secret").read_text() == (data / "master-secret").read_text()
    assert f"{aside}, which you may delete" in result.stdout


async def test_without_an_installation_there_is_nothing_to_back_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path / "data"))
    result = await coldstart("backup", tmp_path / "backup.age", "--key-file", tmp_path / "key", "--new-key")
    assert (result.exit_code, "there is no installation in" in result.stderr) == (1, True)
    assert not (tmp_path / "data").exists()
