"""`coldstart top`, and the figures that it asks for."""

import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from coldstart.api_client import Api
from coldstart.cli import app
from coldstart.figures import Figures, UsageToday
from coldstart.fleet import Fleet
from shared.lifecycle.status import Status
from tests.coldstart.fake_api import Answer, FakeApi, page, problem, stream, values
from tests.coldstart.told import ID, LAUNCH, MODEL, an_id, an_instance

STANDING = "&".join(f"status={status}" for status in Status if status not in {Status.TERMINATED, Status.ARCHIVED})
EXPLAINED = {"asked": MODEL, "rule": "public", "instances": [{"id": ID, "in_flight": 7}]}
USAGE = {"instance_id": ID, "requests": 5, "prompt_tokens": 100, "completion_tokens": 23}


@pytest.fixture(autouse=True)
def _serving(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    api.says("GET", "/instances", page(an_instance(), an_instance("provisioning", id=an_id(2))))
    api.says("GET", "/models/resolve", values(EXPLAINED))
    api.says("GET", "/usage", values({"items": [USAGE]}))
    api.says("GET", "/events", stream([]))


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ("top", *words))


def test_figures_are_those_of_the_models_that_are_served_and_of_today(api: FakeApi) -> None:
    fleet = Fleet()
    with Api(api.url, "k") as client:
        figures = Figures(client, fleet)
        figures.look()
    assert (figures.in_flight, figures.used) == ({UUID(ID): 7}, {UUID(ID): UsageToday(5, 123)})
    assert len(fleet.members) == 2
    assert [asked.path.partition("&from=")[0] for asked in api.asked] == [
        f"/instances?limit=200&{STANDING}",
        f"/models/resolve?model={MODEL.replace('/', '%2F')}",
        "/usage?group_by=instance",
    ]


def test_figures_are_looked_at_again_and_again_and_whoever_leaves_waits_for_no_answer(api: FakeApi) -> None:
    api.says("GET", "/instances", problem(503, "Not now", "Later."), page(), page(an_instance()))
    api.says("GET", "/usage", values({"items": []}), Answer(b"{}", hold=True))
    fleet = Fleet()
    with Api(api.url, "k") as client, Figures(client, fleet, period_s=0.001):
        assert api.holding.wait(30)
    assert UUID(ID) in fleet
    assert not api.over.is_set()


def test_where_the_output_is_no_terminal_the_fleet_is_shown_once(api: FakeApi) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stdout.startswith("2 instances, nothing an hour  ")
    assert "1 provisioning  1 ready" in result.stdout
    assert sum(asked.path == "/events" for asked in api.asked) == 1


def test_as_json_it_is_what_stands_with_its_figures(api: FakeApi) -> None:
    ready, other = an_instance(), an_instance("provisioning", id=an_id(2))
    assert json.loads(run("--json").stdout) == [
        {**ready, "in_flight": 7, "requests_today": 5, "tokens_today": 123},
        {**other, "in_flight": 0, "requests_today": 0, "tokens_today": 0},
    ]
    assert sum(asked.path == "/events" for asked in api.asked) == 1


def test_an_api_that_refuses_is_a_line(api: FakeApi) -> None:
    api.says("GET", "/usage", problem(403, "No", "Because."))
    result = run()
    assert (result.exit_code, result.stderr) == (1, "No: Because.\n")


def test_ctrl_c_leaves_the_screen_as_it_was(api: FakeApi) -> None:
    api.says("GET", "/events", stream([]), stream(LAUNCH[:1], hold=True))
    terminal, inside = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTIBLE], stdin=inside, stdout=inside, stderr=inside
    ) as running:
        os.close(inside)
        shown = b""
        while b"2 instances" not in shown:
            shown += os.read(terminal, 65_536)
        assert api.holding.wait(30)
        running.send_signal(signal.SIGINT)
        with suppress(OSError):  # which is how Linux ends what a terminal's other side has closed
            while chunk := os.read(terminal, 65_536):
                shown += chunk
    os.close(terminal)
    assert running.returncode == 130
    assert shown.rstrip().endswith(b"\x1b[?1049l")
    assert b"Traceback" not in shown


_INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born deaf to it
sys.argv = ["coldstart", "top"]
from coldstart.cli import app
app()
"""
