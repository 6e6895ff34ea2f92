"""`coldstart eta`: who is waited for, and how good the waiting's estimates would have been."""

import json
from datetime import datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.waiting import expected
from tests.coldstart.fake_api import FakeApi, page, values
from tests.coldstart.told import ID, OTHER_ID, an_eta, an_instance
from tests.eta.past import a_launch


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ("eta", *words))


def an_instance_on_its_way(**more: Any) -> dict[str, Any]:
    return an_instance("installing", "SshInstallStarted", 55, eta=an_eta(125, 235), **more)


def in_words(p50_seconds: float, p90_seconds: float) -> str:
    return expected(an_eta(p50_seconds, p90_seconds)).removeprefix("ready ")


def test_who_is_starting_up_is_told_with_when_and_from_what(api: FakeApi) -> None:
    eta = an_eta(500, 900, group="built_in", launches=0)
    assumed = an_instance("provisioning", "InstanceRequested", 5, id=OTHER_ID, name="another", eta=eta)
    api.says("GET", "/instances", page(an_instance_on_its_way(), an_instance(eta=None), assumed))
    lines = run().stdout.splitlines()
    assert api.asked[0].path == "/instances?status=booting&status=installing&status=provisioning&status=starting"
    assert [" ".join(line.split()) for line in lines[1:]] == [
        f"{ID[:8]} qwen installing {in_words(125, 235)} 12 launches of this model on this type",
        f"{OTHER_ID[:8]} another creating the server {in_words(500, 900)} built-in assumptions",
    ]
    (one, _) = json.loads(run("--json").stdout)
    assert one == {"instance_id": ID, "eta": an_eta(125, 235).model_dump(mode="json"), "delay": None}


def test_who_waits_is_told_with_what_for_and_when_it_is_tried_next(api: FakeApi) -> None:
    at = "2126-01-01T12:00:00Z"
    delay = {"action": "create", "number": 3, "code": "out_of_stock", "reason": "no L4", "next_try_at": at}
    waits = an_instance("provisioning", "InstanceRequested", 5, eta=None, delay=delay)
    api.says("GET", "/instances", page(waits))
    words = " ".join(run().stdout.split())
    again = f"{datetime.fromisoformat(at).astimezone():%H:%M:%S}"
    assert f"qwen creating the server: no L4 (try 3) next try at {again}" in words
    assert json.loads(run("--json").stdout) == [{"instance_id": ID, "eta": None, "delay": delay}]


def test_nothing_to_wait_for_is_said(api: FakeApi) -> None:
    api.says("GET", "/instances", page(an_instance(eta=None)))
    assert run().stdout == "No instance is starting.\n"


def test_past_launches_are_replayed(api: FakeApi) -> None:
    launches = [a_launch(10.0, number=60 * number).model_dump(mode="json") for number in range(20)]
    api.says("GET", "/launches", values({"items": launches, "next_cursor": None}))
    scores = json.loads(run("--backtest", "--json").stdout)
    assert [score["launches"] for score in scores] == [20] * 4
    assert scores[0]["error_of_total"] < 0.01
    lines = run("--backtest").stdout.splitlines()
    assert lines[1].split()[:6] == ["33%", "of", "a", "launch", "20", "0.0%"]


def test_without_past_launches_there_is_nothing_to_replay(api: FakeApi) -> None:
    api.says("GET", "/launches", values({"items": [], "next_cursor": None}))
    assert run("--backtest").stdout == "No launch has become ready yet.\n"


def test_simulated_launches_need_no_api_and_are_the_same_for_the_same_seed(api: FakeApi) -> None:
    one, same, other = (run("--backtest", "--launches", "60", "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert one == same != other
    assert one.splitlines()[-1].split()[:5] == ["83%", "of", "a", "launch", "60"]
    assert api.asked == []


def test_a_faster_way_from_the_middle_on_is_followed_launch_by_launch(api: FakeApi) -> None:
    rows = json.loads(run("--backtest", "--launches", "120", "--faster", "--json").stdout)
    assert [row["number"] for row in rows] == list(range(1, 9))
    assert sum(row["launches"] for row in rows) == 60
    assert rows[0]["error"] > 1
    assert rows[-1]["error"] < 0.3
    lines = run("--backtest", "--launches", "120", "--faster").stdout.splitlines()
    assert lines[-1].split()[:5] == ["number", "8", "and", "later", str(rows[-1]["launches"])]
    assert api.asked == []


def test_simulated_launches_are_for_a_backtest(api: FakeApi) -> None:
    assert run("--launches", "5").exit_code == 2
    assert run("--backtest", "--faster").exit_code == 2
    assert api.asked == []


def test_show_tells_it_in_words(api: FakeApi) -> None:
    api.says("GET", f"/instances/{ID}", values(an_instance_on_its_way()))
    result = CliRunner().invoke(app, ("instances", "show", ID))
    assert f"ready {in_words(125, 235)}" in " ".join(result.stdout.split())
