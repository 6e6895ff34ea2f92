import json
from datetime import datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.commands import asking
from tests.coldstart.deployed import ASKED, SERVING, a_deployment, a_replica, timeline
from tests.coldstart.fake_api import FakeApi, page, problem, values
from tests.coldstart.told import MODEL, an_instance

CHAT = "/deployments/chat"


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    monkeypatch.setenv("COLUMNS", "200")


def run(*words: str, typed: str = "") -> Any:
    return CliRunner().invoke(app, words, input=typed)


def test_deploy_asks_for_what_was_typed_and_says_how_to_call_it(api: FakeApi) -> None:
    path = "/deployments/qwen2.5-0.5b-instruct"
    api.says("PUT", path, values(a_deployment("qwen2.5-0.5b-instruct", status_label="at zero"), 201))
    result = run(
        "deploy", MODEL, "--type", "L4-1-24G", "--zone", "fr-par-2", "--max", "3", "--target", "8", "--settle", "1m"
    )
    assert result.exit_code == 0, result.output
    assert api.asked[-1].body == {
        "model": MODEL,
        "instance_types": ["L4-1-24G"],
        "zones": ["fr-par-2"],
        "max_replicas": 3,
        "target_in_flight": 8.0,
        "rollout": {"settle": 60},
    }
    lines = result.stdout.splitlines()
    assert lines[0] == "qwen2.5-0.5b-instruct  at zero  0 of 0 ready"
    assert [line.partition("  ")[0] for line in lines[1:]] == ["base URL", "model", "key", "try it"]
    assert result.stderr.startswith("The first request wakes it. It waits up to 10 min 00 s, or as long as X-Wait-")
    api.says("PUT", path, values(a_deployment(asked={"max_replicas": 0}), 201))
    none = run("deploy", MODEL, "--max", "0")
    assert (none.exit_code, api.asked[-1].body) == (0, {"model": MODEL, "max_replicas": 0})
    assert none.stderr.startswith("It may have no replicas, and no request wakes it. To allow some: ")
    assert none.stderr.endswith("deployments scale chat --max 1\n")
    api.says("PUT", path, values(a_deployment(asked={"min_replicas": 1}), 201))
    assert run("deploy", MODEL, "--min", "1").stderr.startswith("A request waits until a replica is ready. It waits")


def test_deploy_changes_only_what_is_named_of_a_deployment_that_there_is(api: FakeApi) -> None:
    before = a_deployment(asked={"organization": "acme", "max_replicas": 5, "hold": 60})
    api.says("GET", CHAT, values(before))
    api.says("PUT", CHAT, values({**before, "warnings": ["It hardly fits."], "ready": 1}))
    words = (
        "deploy",
        MODEL,
        "--name",
        "chat",
        "--organization",
        "acme",
        "--min",
        "1",
        "--scale-to-zero-after",
        "never",
    )
    result = run(*words, "--surge", "2")
    assert (result.exit_code, result.stderr) == (0, "warning: It hardly fits.\n")
    assert api.asked[0].path == f"{CHAT}?organization=acme"
    assert api.asked[1].body == {
        **ASKED,
        "organization": "acme",
        "max_replicas": 5,
        "hold": 60,
        "min_replicas": 1,
        "scale_to_zero_after": None,
        "rollout": {"surge": 2, "settle": 30},
    }
    assert json.loads(run(*words, "--json").stdout)["name"] == "chat"


def test_deploy_says_what_is_wrong_with_which_option(api: FakeApi) -> None:
    errors = [
        {"pointer": "/min_replicas", "detail": "it is above max_replicas."},
        {"pointer": "/instance_types/0", "detail": "it is not offered."},
        {"pointer": "/rollout/surge", "detail": "too large."},
        {"pointer": "/scale_to_zero_after", "detail": "too short."},
    ]
    api.says("PUT", CHAT, values({"title": "The request is not valid", "errors": errors}, 422))
    result = run("deploy", MODEL, "--name", "chat", "--min", "4", "--type", "L4", "--surge", "9")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "The request is not valid:",
        "--min 4: it is above max_replicas.",
        "--type L4: it is not offered.",
        "--surge, --settle {'surge': 9}: too large.",
        "--scale-to-zero-after: too short.",
    ]


def test_deployments_are_listed_and_one_is_shown_with_its_replicas(api: FakeApi) -> None:
    owned = a_deployment("other", asked={"organization": "acme"}, load=None, status_label="at zero")
    api.says("GET", "/deployments", page(SERVING, then="more"), page(owned))
    listed = [line.split() for line in run("deployments", "list", "--model", MODEL).stdout.splitlines()]
    assert listed[0] == ["name", "model", "status", "ready", "requests", "per", "hour"]
    assert listed[1][:2] == ["chat", MODEL]
    assert " ".join(listed[1][2:]) == "active 1 of 2, 1 on their way 12 + 2 held 1.50 EUR rolling out revision 2"
    assert listed[2] == ["acme/other", MODEL, "at", "zero", "0", "of", "0"]
    assert api.asked[0].path.endswith("?model=Qwen%2FQwen2.5-0.5B-Instruct")
    assert len(json.loads(run("deployments", "list", "--json").stdout)) == 1
    api.says("GET", CHAT, values({**SERVING, "revision": 2}))
    shown = run("deployments", "show", "chat").stdout
    for line in (
        "per month",
        "1095.00 EUR",
        "2, and 1 is served",
        "surge 1, settle 30 s",
        "2 of 2 instances.",
        "not launched",
        "fr-par-2",
    ):
        assert line in shown
    assert json.loads(run("deployments", "show", "chat", "--json").stdout) == {**SERVING, "revision": 2}


def test_what_is_shown_of_a_deployment_has_units_and_nothing_empty(api: FakeApi) -> None:
    turn = {"cron": "0 8 * * *", "time_zone": "UTC", "min_replicas": 1, "max_replicas": 2}
    its = {"schedule": [turn], "scale_to_zero_after": None, "revision": "refs/pr/1"}
    rolling = a_deployment(asked=its, wanted=1, ready=2)
    api.says("GET", CHAT, values(rolling))
    shown = [line.split() for line in run("deployments", "show", "chat").stdout.splitlines()]
    assert all(len(row) > 1 for row in shown)
    for line in (
        "replicas 1 of 1 ready, 1 more",
        "revision 1",
        "model's revision refs/pr/1",
        "scale down after 5 min 00 s",
        "scale to zero after never",
        "schedule 0 8 * * * (UTC) 1 to 2",
    ):
        assert line.split() in shown


def test_the_list_says_which_replica_is_not_ready(api: FakeApi) -> None:
    away = an_instance("unavailable", name="chat-0")
    api.says("GET", "/deployments", page(a_deployment(wanted=1, replicas=[a_replica(instance=away)])))
    assert run("deployments", "list").stdout.splitlines()[1].split()[-2:] == ["chat-0:", "unavailable"]


def test_what_holds_a_replica_up_is_listed_and_shown_with_when_the_next_try_is(api: FakeApi) -> None:
    began, now, again = (f"2026-01-01T12:{minute}:00+00:00" for minute in ("00", "03", "04"))
    delay = {"ordinal": 1, "revision": 2, "code": "waiting", "reason": "it is locked", "since": began}
    held_up = a_deployment(doing="rolling out revision 2", as_of=now, delay={**delay, "next_try_at": again})
    refused = {**delay, "reason": "2 of 2 instances", "next_try_at": None}
    doing = "replica 1 could not be launched: 2 of 2 instances"
    api.says("GET", "/deployments", page(held_up, a_deployment("other", doing=doing, as_of=now, delay=refused)))
    api.says("GET", CHAT, values(held_up))
    local = datetime.fromisoformat(again).astimezone().strftime("%H:%M:%S")
    said = f"rolling out revision 2; replica 1: it is locked (for 3 min 00 s, next try at {local})"
    _, *listed = run("deployments", "list").stdout.splitlines()
    assert len(listed) == 2
    assert listed[0].rstrip().endswith(said)
    assert listed[1].rstrip().endswith(f"{doing} (for 3 min 00 s)")
    assert said in run("deployments", "show", "chat").stdout


def test_without_deployments_it_says_how_to_make_one(api: FakeApi) -> None:
    api.says("GET", "/deployments", page())
    assert run("deployments", "list").stdout == "There is no deployment. `coldstart deploy MODEL` makes one.\n"


def test_a_deployment_is_scaled_resumed_restarted_and_rolled_back(api: FakeApi) -> None:
    for intent in ("scale", "resume", "restart", "rollback"):
        api.says("POST", f"{CHAT}/{intent}", values(SERVING, 202))
    said = "chat  active  1 of 2 ready, 1 on their way\n"
    assert run("deployments", "scale", "chat", "--min", "1", "--max", "4").stdout == said
    assert run("deployments", "scale", "acme/chat", "--max", "2").stdout == said
    for intent in ("resume", "restart", "rollback"):
        assert run("deployments", intent, "acme/chat").stdout == said
        assert json.loads(run("deployments", intent, "chat", "--json").stdout) == SERVING
    assert [(asked.path, asked.body) for asked in api.asked[:4]] == [
        (f"{CHAT}/scale", {"min_replicas": 1, "max_replicas": 4}),
        (f"{CHAT}/scale?organization=acme", {"max_replicas": 2}),
        (f"{CHAT}/resume?organization=acme", None),
        (f"{CHAT}/resume", None),
    ]
    api.says("POST", f"{CHAT}/rollback", problem(409, "It does not allow that", "Nothing else was rolled out before."))
    refused = run("deployments", "rollback", "chat")
    assert (refused.exit_code, refused.stderr) == (1, "It does not allow that: Nothing else was rolled out before.\n")


def test_scaling_says_which_option_is_wrong(api: FakeApi) -> None:
    errors = [{"pointer": "/min_replicas", "detail": "it is above max_replicas (1)."}]
    api.says("POST", f"{CHAT}/scale", values({"title": "The request is not valid", "errors": errors}, 422))
    result = run("deployments", "scale", "chat", "--min", "3")
    assert result.stderr.splitlines() == ["The request is not valid:", "--min 3: it is above max_replicas (1)."]


def test_pausing_asks_if_a_replica_serves(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.says("GET", CHAT, values(SERVING))
    api.says("POST", f"{CHAT}/pause", values(a_deployment(status="paused", status_label="paused"), 202))
    unasked = run("deployments", "pause", "chat")
    assert unasked.exit_code == 2
    assert f"Pause chat? 1 of its replicas serve {MODEL}. All its replicas end after" in unasked.stderr
    monkeypatch.setattr(asking, "somebody_is_there", lambda: True)
    assert run("deployments", "pause", "chat", typed="n\n").exit_code == 1
    assert {asked.method for asked in api.asked} == {"GET"}
    assert run("deployments", "pause", "chat", typed="y\n").stdout.endswith("chat  paused  0 of 0 ready\n")
    monkeypatch.setattr(asking, "somebody_is_there", lambda: False)
    assert run("deployments", "pause", "chat", "--yes").exit_code == 0
    api.says("GET", CHAT, values(a_deployment()))
    assert run("deployments", "pause", "chat").exit_code == 0


def test_what_would_be_done_is_explained_with_its_figures(api: FakeApi) -> None:
    told = {
        "wanted": 1,
        "would_be": 3,
        "ready": 1,
        "reason": "forecast",
        "message": "40 requests are expected",
        "figures": {
            "load": 12.0,
            "expected": 40.0,
            "lead_seconds": 95.4,
            "per_replica": 16.0,
            "min_replicas": 1,
            "max_replicas": 4,
        },
        "steps": ["record DeploymentScaled", "launch replica 1, generation 1"],
    }
    api.says("GET", f"{CHAT}/explain", values(told))
    assert run("deployments", "explain", "acme/chat").stdout.splitlines() == [
        "Replicas: 3 would be wanted now, 1 are wanted, 1 are ready.",
        "Why: 40 requests are expected",
        "Load: 12 requests now, 40 expected in 1 min 35 s.",
        "Target: 16 a replica, 1 to 4 replicas.",
        "Next: record DeploymentScaled.",
        "Next: launch replica 1, generation 1.",
    ]
    assert api.asked[0].path == f"{CHAT}/explain?organization=acme"
    assert json.loads(run("deployments", "explain", "chat", "--json").stdout) == told


def test_the_timeline_says_each_decision_in_words(api: FakeApi) -> None:
    api.says("GET", f"{CHAT}/timeline", page(*timeline()))
    told = [
        line.strip().split(maxsplit=5)[-2:] for line in run("deployments", "timeline", "chat").stdout.splitlines()[1:]
    ]
    assert told == [
        ["DeploymentScaled", "0 → 1 replicas: a request came"],
        ["RolloutHalted", "the rollout of revision 2 was halted: it has too little memory."],
        ["DeploymentPaused", "paused"],
        ["scaler", "SomethingNew"],
    ]
    assert json.loads(run("deployments", "timeline", "chat", "--json").stdout) == timeline()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("deploy", ""), "the value is empty"),
        (("deploy", MODEL, "--name", "../x"), "invalid name '../x'. Write it as chat"),
        (("deploy", MODEL, "--min", "-1"), "greater than or equal to 0"),
        (("deploy", MODEL, "--max", "-1"), "greater than or equal to 0"),
        (("deploy", MODEL, "--hold", "soon"), "invalid duration 'soon'. Use 90, 30m, 8h or 7d."),
        (("deploy", MODEL, "--scale-to-zero-after", "later"), "invalid duration 'later'."),
        (("deploy", MODEL, "--target", "many"), "should be a valid number"),
        (("deployments", "scale", "chat"), "name something to change: --min or --max"),
        (("deployments", "show", ""), "invalid name ''"),
        (("deployments", "show", "a/b/c"), "invalid name 'a/b/c'. Write it as chat, or as acme/chat"),
        (("deployments", "delete", ".."), "invalid name '..'"),
        (("deployments", "delete", "chat?x"), "invalid name 'chat?x'"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_asked(api: FakeApi, words: tuple[str, ...], complaint: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout, api.asked) == (2, "", [])
    assert complaint in " ".join(result.stderr.replace("│", "").split())
