"""`coldstart instances critical-path`: what a launch waited for, as lines and for a script."""

import json
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from shared.lifecycle.critical_path import CriticalPath, Interval, LaunchOutcome
from tests.coldstart.fake_api import FakeApi, values
from tests.coldstart.told import BEGAN, ID


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ("instances", "critical-path", ID, *words))


def an_interval(label: str, begin: float, seconds: float, *, spare: float | None = None, **more: Any) -> Interval:
    began = BEGAN + timedelta(seconds=begin)
    given = {
        "step": label,
        "label": label,
        "percent": 55,
        "install_try": None,
        "after": (),
        "began_at": began,
        "ended_at": began + timedelta(seconds=seconds),
        "seconds": seconds,
        "critical": spare is None,
        "slack_seconds": spare or 0,
    }
    return Interval.model_validate(given | more)


def a_path(*intervals: Interval, outcome: LaunchOutcome = LaunchOutcome.READY, **more: Any) -> dict[str, Any]:
    given = {
        "attempt": 1,
        "outcome": outcome,
        "began_at": BEGAN,
        "ended_at": None,
        "as_of": BEGAN,
        "seconds": 185,
        "waits_for": None,
        "intervals": intervals,
    }
    return CriticalPath.model_validate(given | more).model_dump(mode="json")


def test_each_step_is_told_with_what_it_had_to_spare(api: FakeApi) -> None:
    pulled = an_interval("pulling the image", 3.4, 95, spare=80, install_try=1)
    fetched = an_interval("fetching the weights", 3.4, 175, install_try=2)
    path = a_path(an_interval("creating the server", 0, 3.4), pulled, fetched)
    api.says("GET", f"/instances/{ID}/critical-path", values(path))
    assert [" ".join(line.split()) for line in run("--attempt", "1").stdout.splitlines()] == [
        "step began after took critical",
        "creating the server 0.0 s 3.4 s yes",
        "pulling the image 3.4 s 1 min 35 s no, 1 min 20 s to spare",
        "fetching the weights (try 2) 3.4 s 2 min 55 s yes",
        "Ready after 3 min 05 s.",
    ]
    assert api.asked[0].path == f"/instances/{ID}/critical-path?attempt=1"
    assert json.loads(run("--json").stdout) == path


def test_a_launch_under_way_says_what_it_waits_for(api: FakeApi) -> None:
    pulls = an_interval("pulling the image", 0, 185, ended_at=None)
    path = a_path(pulls, outcome=LaunchOutcome.RUNNING, waits_for="pulling the image")
    api.says("GET", f"/instances/{ID}/critical-path", values(path))
    lines = run().stdout.splitlines()
    assert lines[1].split()[-3:] == ["so", "far", "yes"]
    assert lines[-1] == "Under way for 3 min 05 s. It waits for: pulling the image."


def test_what_stopped_says_so_though_no_step_is_known(api: FakeApi) -> None:
    api.says("GET", f"/instances/{ID}/critical-path", values(a_path(outcome=LaunchOutcome.STOPPED)))
    assert run().stdout == "Stopped after 3 min 05 s, before it was ready.\n"
