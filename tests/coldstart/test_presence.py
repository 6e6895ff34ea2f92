"""What runs in a data folder is shown, and stopped, from another terminal; nothing running is an answer, too."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.commands import presence
from coldstart.embedded.folder import ServerFolder
from coldstart.places import settings_file
from coldstart.stack.files import Reach, note_clouds, write_reach
from coldstart.stack.present import Present, present, stack_process
from tests.api.fakes import free_port
from tests.coldstart.fake_api import FakeApi, problem, values
from tests.coldstart.recorded import a_journal
from tests.coldstart.test_one_machine import START_S, coldstart, up
from tests.lifecycle import histories as h


async def run(*words: str) -> Any:
    """In a thread, since the command has an event loop of its own."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, [*words]))


def test_it_says_its_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"coldstart {version('coldstart')}\n")


async def test_a_stack_is_shown_with_its_parts_and_stopped_from_another_terminal(tmp_path: Path) -> None:
    async with up(tmp_path) as stack:
        asked = await coldstart("status", "--json", COLDSTART_DATA_DIR=str(tmp_path))
        shown = json.loads((await asked.communicate())[0])
        assert (asked.returncode, shown["running"], shown["serving"]) == (0, True, True)
        assert (shown["pid"], shown["api_url"]) == (stack.process.pid, stack.reach["api_url"])
        parts = {part["name"]: part for part in shown["parts"]}
        assert [*parts] == [
            "nats",
            "followers",
            "postgres",
            "progress",
            "health",
            "scaler",
            "provisioner",
            "webhooks",
            "api",
        ]
        ours = {process.pid for process in psutil.Process(stack.process.pid).children()}
        assert {part["pid"] for part in parts.values()} <= ours
        assert str(parts["nats"]["port"]) == stack.reach["nats_url"].rpartition(":")[2]
        assert (shown["instances"], shown["cost_per_hour"], shown["simulated"]) == ([], {}, True)
        stopping = await coldstart("down", COLDSTART_DATA_DIR=str(tmp_path))
        said = (await stopping.communicate())[0].decode()
        assert (stopping.returncode, said) == (0, f"stopped the stack in {tmp_path}\n")
        async with asyncio.timeout(START_S):
            assert await stack.process.wait() == 0
    assert present(tmp_path) is None


async def test_without_a_stack_both_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path / "data"))
    status, down = await run("status"), await run("down")
    assert (status.exit_code, status.stdout) == (
        1,
        f"no stack runs in {tmp_path / 'data'}\nsettings   from the environment; there is no {settings_file()}\n",
    )
    assert (down.exit_code, down.stdout) == (0, f"no stack runs in {tmp_path / 'data'}\n")
    as_json = json.loads((await run("status", "--json")).stdout)
    assert (as_json["running"], as_json["instances"], as_json["cost_per_hour"]) == (False, [], {})
    assert not (tmp_path / "data").exists()


async def test_what_costs_money_is_shown_though_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path))
    note_clouds(tmp_path, frozenset({"scaleway"}))
    async with a_journal(tmp_path, h.a_ready_instance(), h.a_terminated_instance()):
        pass
    result = await run("status")
    assert result.exit_code == 1
    assert "1 instance in scaleway continues without this stack, 0.75 EUR an hour at list price:" in result.stdout
    as_json = json.loads((await run("status", "--json")).stdout)
    assert as_json["cost_per_hour"] == {"EUR": 0.75}
    assert [each["status"] for each in as_json["instances"]] == ["ready"]


async def test_a_journal_that_cannot_be_read_is_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLDSTART_NATS_URL", "nats://127.0.0.1:9")
    result = await run("status")
    assert "Cannot tell what continues in the providers and costs money" in result.stdout
    as_json = json.loads((await run("status", "--json")).stdout)
    assert (as_json["instances"], as_json["cost_per_hour"]) == (None, None)


@pytest.mark.real
def test_another_program_that_was_given_the_pid_is_not_the_stack(tmp_path: Path) -> None:
    """It has the words of one, and neither the lock nor the file open."""
    with subprocess.Popen([sys.executable, "-c", "input()", "up"], stdin=subprocess.PIPE) as other:
        with ServerFolder(tmp_path, "stack").locked():
            pass
        (tmp_path / "stack/lock").write_text(str(other.pid))
        write_reach(tmp_path, Reach("http://127.0.0.1:9", "key", "nats://x", "postgresql://x", None, other.pid))
        assert stack_process(tmp_path) is None
        other.communicate()


def test_a_command_that_holds_the_lock_is_not_the_stack(tmp_path: Path) -> None:
    with ServerFolder(tmp_path, "stack").locked():
        assert (tmp_path / "stack/lock").read_text() == str(os.getpid())
        assert stack_process(tmp_path) is None


def test_why_a_stack_serves_nothing_is_told_in_its_own_words(api: FakeApi) -> None:
    here = Present(psutil.Process(), ())
    reach = Reach(api.url, "a-key", "nats://x", "postgresql://x", None, os.getpid())
    api.says(
        "GET", "/readyz", values({}), problem(503, "The routing table is stale", "Wait for NATS."), values([], 502)
    )
    assert presence._why_not_serving(here, reach) is None
    assert presence._why_not_serving(here, reach) == "the API is not ready: Wait for NATS."
    assert presence._why_not_serving(here, reach) == "the API is not ready: 502 Bad Gateway"
    away = replace(reach, api_url=f"http://127.0.0.1:{free_port()}")
    assert str(presence._why_not_serving(here, away)).startswith("the API does not answer: ")
