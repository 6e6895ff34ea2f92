"""`coldstart instances watch` of several instances."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.stream_messages import Happened
from tests.coldstart.fake_api import FakeApi, page, stream, values
from tests.coldstart.told import FAILURE, ID, LAUNCH, OTHER_ID, an_instance, of_another

OTHER = tuple(of_another(OTHER_ID, event, name="another") for event in LAUNCH)
RESET = b'id: ffffffff-0\nevent: reset\ndata: {"position": "ffffffff-0"}\n\n'
POSITION = "0a0b0c0d-40"


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ("instances", "watch", *words))


def a_pair_is_on_its_way(api: FakeApi, *told: Happened) -> None:
    """And this is told of them, with the connection lost in the middle."""
    one = an_instance("provisioning", "InstanceRequested", 5)
    other = {**one, "id": OTHER_ID, "name": "another"}
    api.says("GET", "/instances", page(one, other))
    api.says("GET", f"/instances/{ID}", values(one))
    api.says("GET", f"/instances/{OTHER_ID}", values(other))
    half = len(told) // 2
    api.says("GET", "/events", stream([], position=POSITION), stream(told[:half]), stream(told[half:]))


@pytest.mark.parametrize("words", [(ID, OTHER_ID), ("qwen", "another", "qwen"), ()])
def test_all_that_are_watched_become_ready(api: FakeApi, words: tuple[str, ...]) -> None:
    a_pair_is_on_its_way(api, *LAUNCH[1:], *OTHER[1:])
    if "qwen" in words:
        api.says("GET", "/instances", page(an_instance(), an_instance(id=OTHER_ID, name="another")))
    result = run(*words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 12
    assert result.stdout.splitlines()[-1] == "another  100 %  ready        InstanceReady"


def test_a_position_is_asked_for_before_the_instances_so_that_nothing_is_missed_between(api: FakeApi) -> None:
    a_pair_is_on_its_way(api, *LAUNCH[1:], *OTHER[1:])
    assert run(ID, OTHER_ID).exit_code == 0
    paths = [asked.path for asked in api.asked]
    assert paths == ["/events", f"/instances/{ID}", f"/instances/{OTHER_ID}", "/events", "/events"]
    resumed = [asked.headers.get("last-event-id") for asked in api.asked if asked.path == "/events"]
    assert resumed == [None, POSITION, "0a0b0c0d-6"]


def test_one_that_fails_is_named_with_its_reason_once_all_have_settled(api: FakeApi) -> None:
    a_pair_is_on_its_way(api, FAILURE[1], *OTHER[1:])
    result = run(ID, OTHER_ID)
    assert (result.exit_code, result.stderr) == (1, "qwen: c: m [x]\n")
    assert "another  100 %" in result.stdout


def test_for_a_script_every_event_is_a_line_of_json(api: FakeApi) -> None:
    a_pair_is_on_its_way(api, *LAUNCH[1:], *OTHER[1:])
    lines = run("--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [event.json for event in (*LAUNCH[1:], *OTHER[1:])]


def test_nothing_on_its_way_is_said(api: FakeApi) -> None:
    api.says("GET", "/events", stream([], position=POSITION))
    api.says("GET", "/instances", page())
    assert (run().stdout, run("--json").stdout) == ("No instance is starting.\n", "")


def test_only_what_is_on_its_way_is_asked_for(api: FakeApi) -> None:
    a_pair_is_on_its_way(api, *LAUNCH[1:], *OTHER[1:])
    assert run().exit_code == 0
    (listed,) = (asked.path for asked in api.asked if asked.path.startswith("/instances?"))
    statuses = ("booting", "installing", "provisioning", "starting", "unavailable")
    assert listed == "/instances?" + "&".join(f"status={status}" for status in statuses)


def test_all_go_on_being_followed_whatever_has_become_ready_and_however_few_there_are(api: FakeApi) -> None:
    api.says("GET", "/instances", page())
    api.says("GET", "/events", stream([], position=POSITION), stream([*LAUNCH, *OTHER], more=RESET))
    result = run("--all")
    first, *told = result.stdout.splitlines()
    assert first == "No instance is starting."
    assert len(told) == 12
    assert (result.exit_code, "began anew" in result.stderr) == (1, True)
    api.says("GET", "/events", stream([], position=POSITION), stream([*LAUNCH, *OTHER], more=RESET))
    assert len(run("--all", "--json").stdout.splitlines()) == 12


def test_names_and_all_are_too_much(api: FakeApi) -> None:
    assert run("qwen", "--all").exit_code == run("qwen", " ").exit_code == 2
    assert api.asked == []
