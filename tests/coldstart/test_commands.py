import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from coldstart.cli import app
from tests.coldstart.fake_api import Answer, FakeApi, page, problem, stream, values
from tests.coldstart.told import ENDING, FAILURE, ID, LAUNCH, MODEL, OTHER_ID, an_instance

KEY = {"id": ID, "prefix": "csk_abcdef", "name": "mine", "role": "user", "created_at": "2026-01-01T00:00:00Z"}
THIRD_ID, LATER = "7d165dd2-3c01-4b39-8b1f-000000000003", "2027-01-01T00:00:00Z"
COSTS = "It costs 0.75 EUR an hour, 0.25 EUR so far."
CREATE = ("instances", "create", MODEL, "--type", "L4-1-24G")


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words)


def test_create_asks_for_what_was_typed_and_for_nothing_else(api: FakeApi) -> None:
    api.says("POST", "/instances", values(an_instance("provisioning"), 202))
    result = run(
        *CREATE,
        "--type",
        "H100-1-80G",
        "--zone",
        "fr-par-2",
        "--volume-gb",
        "300",
        "--task",
        "embed",
        "--keep-for-inspection",
    )
    assert result.exit_code == 0
    assert result.stdout == f"{ID}  qwen  provisioning\n"
    assert api.asked[0].body == {
        "model": MODEL,
        "instance_types": ["L4-1-24G", "H100-1-80G"],
        "zones": ["fr-par-2"],
        "volume_gb": 300,
        "task": "embed",
        "keep_for_inspection": True,
    }
    assert api.asked[0].headers["idempotency-key"]


def test_create_tells_what_most_likely_will_not_do_apart_from_what_a_script_reads(api: FakeApi) -> None:
    warned = an_instance("provisioning", warnings=["L4-1-24G: too [little].", "H100-1-80G: the same."])
    api.says("POST", "/instances", values(warned, 202))
    result = run(*CREATE)
    assert (result.exit_code, result.stdout) == (0, f"{ID}  qwen  provisioning\n")
    assert result.stderr == "warning: L4-1-24G: too [little].\nwarning: H100-1-80G: the same.\n"
    assert json.loads(run(*CREATE, "--json").stdout) == warned


def test_create_says_what_is_wrong_with_which_option(api: FakeApi) -> None:
    refusal = {
        "title": "The request is not valid",
        "detail": "all of it in one line",
        "errors": [
            {"pointer": "/vllm_args/1", "detail": "vLLM 0.32.0 has no --swap-space."},
            {"pointer": "/instance_types", "detail": "none is large enough."},
            {"pointer": "/task", "detail": "it is known for another one."},
            {"pointer": "/volume_gb", "detail": "too small."},
            {"pointer": "/idle_shutdown", "detail": "too short."},
        ],
    }
    api.says("POST", "/instances", values(refusal, 422))
    result = run(*CREATE, "--vllm-arg=--enforce-eager", "--vllm-arg=--swap-space=4", "--volume-gb", "7")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "The request is not valid:",
        "--vllm-arg --swap-space=4: vLLM 0.32.0 has no --swap-space.",
        "--type: none is large enough.",
        "--task: it is known for another one.",
        "--volume-gb 7: too small.",
        "--idle-shutdown: too short.",
    ]


def test_create_and_watch_ends_well_once_it_is_ready(api: FakeApi) -> None:
    api.says("POST", "/instances", values(an_instance("provisioning"), 202))
    api.says("GET", f"/instances/{ID}/events", stream(LAUNCH))
    result = run(*CREATE, "--watch")
    assert result.exit_code == 0
    said = result.stdout.splitlines()
    assert "100 %  ready        InstanceReady" in said
    assert [line.partition("  ")[0] for line in said[-4:]] == ["base URL", "model", "key", "try it"]
    assert api.asked[1].path == f"/instances/{ID}/events?from=start"


def test_create_and_watch_says_why_it_failed(api: FakeApi) -> None:
    api.says("POST", "/instances", values(an_instance("provisioning"), 202))
    api.says("GET", f"/instances/{ID}/events", stream(FAILURE))
    result = run(*CREATE, "--watch")
    assert result.exit_code == 1
    assert result.stderr == "c: m [x]\n"


def test_create_and_watch_for_a_script_is_a_line_of_json_each(api: FakeApi) -> None:
    api.says("POST", "/instances", values(an_instance("provisioning"), 202))
    api.says("GET", f"/instances/{ID}/events", stream(LAUNCH))
    result = run(*CREATE, "--watch", "--json")
    asked, *events = [json.loads(line) for line in result.stdout.splitlines()]
    assert asked["status"] == "provisioning"
    assert events == [event.json for event in LAUNCH]


def test_watching_what_was_ready_once_and_is_gone_now_ends_badly(api: FakeApi) -> None:
    api.says("GET", f"/instances/{ID}", values(an_instance("terminated", version=8)))
    api.says("GET", f"/instances/{ID}/events", stream(LAUNCH + ENDING))
    result = run("instances", "watch", ID)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "100 %  terminated   InstanceTerminated"
    assert result.stderr == "terminated\n"


def test_list_in_a_pipe_is_a_whole_line_each(api: FakeApi) -> None:
    long = "organisation/" + "x" * 100
    api.says("GET", "/instances", page(an_instance(), then="c"), page(an_instance(id=OTHER_ID, model=long)))
    lines = run("instances", "list", "--status", "ready", "--status", "draining").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["id", ID[:8], OTHER_ID[:8]]
    assert long in lines[2]
    assert api.asked[0].path == "/instances?status=ready&status=draining"


def test_list_for_a_script_is_one_list(api: FakeApi) -> None:
    api.says("GET", "/instances", page(an_instance()))
    assert json.loads(run("instances", "list", "--json").stdout) == [an_instance()]


def test_show_prints_values_as_they_are(api: FakeApi) -> None:
    shown = an_instance("failed", error={"code": "c", "message": "[bold]m"}, name="a[/]b")
    api.says("GET", f"/instances/{ID}", values(shown))
    result = run("instances", "show", ID)
    assert "c: [bold]m" in result.stdout
    assert "a[/]b" in result.stdout
    assert json.loads(run("instances", "show", ID, "--json").stdout) == shown


def shown_page(api: FakeApi, **changes: Any) -> str:
    api.says("GET", f"/instances/{ID}", values(an_instance(**changes)))
    result = run("instances", "show", ID)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def rows_of(shown: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in shown.splitlines()]


def test_show_begins_with_where_a_ready_instance_answers(api: FakeApi) -> None:
    first, place, _, base, *_ = shown_page(api, status="ready").splitlines()
    assert first.split()[-1] == "ready"
    assert place == f"{an_instance()['model']} on L4-1-24G in fr-par-2"
    assert base == f"base URL   {api.url}/v1  (for any OpenAI client)"


def test_show_of_one_that_is_not_ready_has_no_address_to_ask(api: FakeApi) -> None:
    assert "base URL" not in shown_page(api, status="failed", error={"code": "c", "message": "m"})


def test_show_tells_what_may_be_asked_of_an_instance(api: FakeApi) -> None:
    shown = shown_page(api, status="failed", actions=["terminate", "archive"])
    assert shown.splitlines()[0].split()[-1] == "failed"
    assert ["you can", "terminate, archive"] in rows_of(shown)


def test_show_tells_the_image_once_the_machine_has_taken_one(api: FakeApi) -> None:
    image = "vllm/vllm-openai:v0.32.0-cu129"
    assert ["image", image] in rows_of(shown_page(api, image=image))
    assert "image" not in [row[0] for row in rows_of(shown_page(api))]


def test_show_tells_what_a_launch_waits_for(api: FakeApi) -> None:
    waits = an_instance("installing", "SshInstallPhaseReached", 58, waits_for="pulling the image")
    api.says("GET", f"/instances/{ID}", values(waits))
    assert ["waits for", "pulling the image"] in rows_of(run("instances", "show", ID).stdout)


def test_timeline_shows_each_event(api: FakeApi) -> None:
    row = {"version": 1, "occurred_at": "2026-01-01T12:00:00.123456Z", "actor": "api", "type": "InstanceRequested"}
    api.says("GET", f"/instances/{ID}/timeline", page({**row, "status": "provisioning", "progress_percent": 5}))
    lines = run("instances", "timeline", ID).stdout.splitlines()
    assert lines[1].split() == ["1", "12:00:00.123", "api", "InstanceRequested", "provisioning", "5", "%"]
    asker = {"kind": "session", "id": OTHER_ID, "name": "ops"}
    row |= {"status": "provisioning", "progress_percent": 5, "requested_by": asker}
    api.says("GET", f"/instances/{ID}/timeline", page(row))
    assert run("instances", "timeline", ID).stdout.splitlines()[1].endswith("ops in the console")


@pytest.mark.parametrize("verb", ["drain", "reinstall", "archive"])
def test_an_intent_says_what_became_of_the_instance(api: FakeApi, verb: str) -> None:
    api.says("POST", f"/instances/{ID}/{verb}", values(an_instance("draining"), 202))
    api.says("GET", f"/instances/{ID}", values(an_instance("starting")))
    assert run("instances", verb, ID).stdout == f"{ID}  qwen  draining\n"
    assert json.loads(run("instances", verb, ID, "--json").stdout)["id"] == ID


def test_a_failed_instance_is_launched_again_with_what_is_asked_for_differently(api: FakeApi) -> None:
    mend = "What it was asked for is out of stock, so it may get any type that fits the model, in any zone."
    new = an_instance("provisioning", "InstanceRequested", 5, id=OTHER_ID, warnings=[mend])
    api.says("POST", f"/instances/{ID}/relaunch", values(new, 202))
    result = run("instances", "relaunch", ID)
    assert result.stdout == f"{OTHER_ID}  qwen  provisioning\n"
    assert mend in " ".join(result.stderr.split())
    assert api.asked[0].headers["idempotency-key"]


@pytest.mark.parametrize("said", [ID, "6d16", "6D16", "qwen"])
def test_an_instance_can_be_named_by_id_beginning_or_name(api: FakeApi, said: str) -> None:
    api.says("GET", "/instances", page(an_instance(), an_instance(id=OTHER_ID, name="other")))
    api.says("DELETE", f"/instances/{ID}", values(an_instance("terminating"), 202))
    assert run("instances", "terminate", said, "--yes").stdout == f"{ID}  qwen  terminating\n"


@pytest.mark.parametrize("other", ["terminated", "failed", "startup_failed"])
def test_a_name_means_the_instance_that_lives(api: FakeApi, other: str) -> None:
    """Such as the one that a failed one was launched again as."""
    api.says("GET", "/instances", page(an_instance(other, id=OTHER_ID, created_at=LATER), an_instance()))
    api.says("DELETE", f"/instances/{ID}", values(an_instance("terminating"), 202))
    assert run("instances", "terminate", "qwen", "--yes").exit_code == 0


@pytest.mark.parametrize(("command", "method"), [("show", "GET"), ("archive", "POST"), ("relaunch", "POST")])
def test_of_those_that_have_ended_a_name_means_the_newest_failed_one(api: FakeApi, command: str, method: str) -> None:
    past = (an_instance("terminated", id=THIRD_ID, created_at=LATER), an_instance("failed", id=OTHER_ID))
    api.says("GET", "/instances", page(*past, an_instance("failed", created_at=LATER)))
    api.says(method, f"/instances/{ID}{'' if command == 'show' else f'/{command}'}", values(an_instance("failed")))
    assert run("instances", command, "qwen").exit_code == 0


@pytest.mark.parametrize("command", ["archive", "relaunch"])
def test_what_can_only_be_asked_of_an_ended_one_means_that_although_another_lives(api: FakeApi, command: str) -> None:
    api.says("GET", "/instances", page(an_instance(id=OTHER_ID, created_at=LATER), an_instance("failed")))
    api.says("POST", f"/instances/{ID}/{command}", values(an_instance("failed")))
    assert run("instances", command, "qwen").exit_code == 0


def test_a_failed_instance_whose_machine_is_kept_lives(api: FakeApi) -> None:
    """It costs money: which of the two is meant, only an id says."""
    kept = an_instance("startup_failed", id=OTHER_ID, actions=["terminate", "reinstall"])
    api.says("GET", "/instances", page(an_instance(), kept))
    result = run("instances", "terminate", "qwen", "--yes")
    assert (result.exit_code, result.stderr.startswith("2 instances are called 'qwen'")) == (1, True)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("6d", f"2 instances are called '6d' ({ID}, {OTHER_ID}); see 'coldstart instances list'.\n"),
        ("nope", "no instances are called 'nope'; see 'coldstart instances list'.\n"),
        ("a/../b?c", "no instances are called 'a/../b?c'; see 'coldstart instances list'.\n"),
    ],
)
def test_what_means_no_one_instance_is_refused(api: FakeApi, said: str, complaint: str) -> None:
    api.says("GET", "/instances", page(an_instance(), an_instance(id=OTHER_ID)))
    result = run("instances", "terminate", said)
    assert (result.exit_code, result.stderr) == (1, complaint)
    assert {asked.method for asked in api.asked} == {"GET"}


@pytest.mark.parametrize(
    "words",
    [
        ("instances", "create", "", "--type", "L4-1-24G"),
        ("instances", "show", ""),
        ("instances", "terminate", " "),
        ("events", "tail", "--instance", ""),
        ("keys", "create", ""),
        ("keys", "revoke", ""),
        ("instances", "list", "--status", "nope"),
        ("instances", "list", "--model", ""),
        ("instances", "list", "--organization", ""),
        ("instance-types", "--provider", ""),
        ("instances", "create", MODEL, "--type", "L4-1-24G", "--volume-gb", "many"),
        ("keys", "create", "mine", "--role", "nope"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_asked(api: FakeApi, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert "Error" in result.stderr
    assert api.asked == []


def test_a_refusal_is_a_line_and_exit_status_1(api: FakeApi) -> None:
    api.says("POST", "/instances", problem(422, "The request is not valid", "/model: [no] such model."))
    result = run(*CREATE)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "The request is not valid: /model: [no] such model.\n"


def test_keys_are_made_shown_and_revoked_by_a_beginning(api: FakeApi) -> None:
    api.says("POST", "/api-keys", values({**KEY, "key": "csk_abcdefgh"}, 201))
    api.says("GET", "/api-keys", page(KEY, {**KEY, "id": OTHER_ID, "name": "[x]"}))
    api.says("DELETE", f"/api-keys/{ID}", values(None, 200))
    assert run("keys", "create", "mine", "--role", "admin").stdout == "csk_abcdefgh\n"
    assert api.asked[0].body == {"name": "mine", "role": "admin"}
    assert "[x]" in run("keys", "list").stdout
    assert run("keys", "revoke", "6d16", "--yes").stdout == f"{ID}  revoked\n"
    ambiguous = run("keys", "revoke", "6d")
    assert ambiguous.exit_code == 1
    assert "2 keys have an id that begins with '6d'" in ambiguous.stderr


ORGANIZATION = {
    "id": ID,
    "slug": "acme",
    "name": "[Acme]",
    "created_at": "2026-01-01T00:00:00Z",
    "at_limit": "drain",
    "max_instances": 4,
    "spend_per_hour": None,
    "spend_per_month": 2000.0,
}
OFFERING = {"name": "acme/chat", "model": MODEL, "active": False, "detail": None}


def test_a_key_s_organisation_and_limits_are_what_was_typed(api: FakeApi) -> None:
    api.says("POST", "/api-keys", values({**KEY, "key": "csk_abcdefgh"}, 201))
    limits = ("--requests-per-minute", "60", "--tokens-per-minute", "9000", "--max-concurrent", "4")
    models = ("--allowed-model", "acme/chat", "--allowed-model", MODEL)
    assert run("keys", "create", "mine", "--organization", "acme", *limits, *models).exit_code == 0
    assert api.asked[0].body == {
        "name": "mine",
        "role": "user",
        "organization": "acme",
        "allowed_models": ["acme/chat", MODEL],
        "requests_per_minute": 60,
        "tokens_per_minute": 9000,
        "max_concurrent": 4,
    }


def test_organisations_are_made_listed_changed_and_deleted(api: FakeApi) -> None:
    api.says("POST", "/organizations", values(ORGANIZATION, 201))
    api.says("GET", "/organizations", page(ORGANIZATION))
    api.says("PATCH", "/organizations/acme", values(ORGANIZATION))
    api.says("DELETE", "/organizations/acme", values(None))
    made = run("orgs", "create", "acme", "--max-instances", "4", "--spend-per-month", "2000", "--at-limit", "drain")
    assert made.stdout == "acme  made\n"
    assert api.asked[0].body == {"slug": "acme", "max_instances": 4, "spend_per_month": 2000.0, "at_limit": "drain"}
    assert run("orgs", "list").stdout.splitlines()[1].split() == ["acme", "[Acme]", "4", "2000", "drain"]
    assert json.loads(run("orgs", "list", "--json").stdout) == [ORGANIZATION]
    changed = run("orgs", "update", "acme", "--max-instances", "0", "--unlimited", "spend-per-month")
    assert changed.stdout == "acme  changed\n"
    assert api.asked[3].body == {"max_instances": 0, "spend_per_month": None}
    assert run("orgs", "delete", "acme", "--yes").stdout == "acme  deleted\n"


def test_an_organisation_is_insisted_on_only_when_that_is_typed(api: FakeApi) -> None:
    api.says("POST", "/organizations", values(ORGANIZATION, 201))
    assert run("orgs", "create", "acme", "--insist").stdout == "acme  made\n"
    assert api.asked[0].body == {"slug": "acme", "insist": True}


@pytest.mark.parametrize("said", [MODEL, "6f1c3a52-0000-4000-8000-000000000001"])
def test_a_model_is_removed_by_its_name_or_its_uuid(api: FakeApi, said: str) -> None:
    known = {"id": "6f1c3a52-0000-4000-8000-000000000001", "model": MODEL}
    api.says("GET", "/models", page({"id": "another", "model": "a/b"}, known))
    api.says("DELETE", f"/models/{known['id']}", values(None))
    assert run("models", "remove", said, "--yes").stdout == f"{MODEL}  removed\n"


def test_a_model_that_the_catalogue_has_not_cannot_be_removed(api: FakeApi) -> None:
    api.says("GET", "/models", page())
    refused = run("models", "remove", MODEL, "--yes")
    assert (refused.exit_code, [asked.method for asked in api.asked]) == (2, ["GET"])
    assert MODEL in refused.stderr


def test_offerings_are_added_listed_and_removed(api: FakeApi) -> None:
    path = "/organizations/acme/offerings"
    api.says("POST", path, values(OFFERING, 201))
    api.says("GET", path, page(OFFERING, {**OFFERING, "active": True, "detail": "choose another code."}))
    api.says("DELETE", f"{path}/chat", values(None))
    assert run("orgs", "offerings", "add", "acme", "chat", MODEL, "--inactive").stdout == f"acme/chat  {MODEL}\n"
    assert api.asked[0].body == {"code": "chat", "model": MODEL, "active": False}
    first, second = run("orgs", "offerings", "list", "acme").stdout.splitlines()[1:]
    assert (first.split(), second.endswith("choose another code.")) == (["acme/chat", MODEL, "inactive"], True)
    assert run("orgs", "offerings", "remove", "acme", "chat", "--yes").stdout == "acme/chat  removed\n"


def test_an_instance_may_be_an_organisation_s(api: FakeApi) -> None:
    api.says("POST", "/instances", values(an_instance("provisioning"), 202))
    api.says("GET", "/instances", page(an_instance()))
    assert run(*CREATE, "--organization", "acme").exit_code == 0
    assert api.asked[0].body == {"model": MODEL, "instance_types": ["L4-1-24G"], "organization": "acme"}
    assert run("instances", "list", "--organization", "acme").exit_code == 0
    assert api.asked[1].path == "/instances?organization=acme"


RESET = b'id: ffffffff-0\nevent: reset\ndata: {"position": "ffffffff-0"}\n\n'


def test_tail_prints_the_events_of_the_types_asked_for(api: FakeApi) -> None:
    api.says("GET", "/instances", page(an_instance()))
    api.says("GET", f"/instances/{ID}/events", stream(LAUNCH, more=RESET))
    result = run("events", "tail", "--instance", "qwen", "--type", "InstanceReady", "--type", "InstanceCreated")
    lines = result.stdout.splitlines()
    assert [line.split()[1:3] for line in lines] == [[ID[:8], "InstanceCreated"], [ID[:8], "InstanceReady"]]
    assert "began anew" in result.stderr


def test_tail_for_a_script_is_a_line_of_json_each(api: FakeApi) -> None:
    api.says("GET", "/events", stream(LAUNCH, more=RESET))
    assert [json.loads(line) for line in run("events", "tail", "--json").stdout.splitlines()] == [
        event.json for event in LAUNCH
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("events", "tail"), ()),
        (("instances", "watch", "--all"), ()),
        (("instances", "watch"), ("The instances continue without being watched", "instances list")),
        (("instances", "watch", ID), ("qwen continues without being watched", COSTS, f"instances terminate {ID[:8]}.")),
        ((*CREATE, "--watch"), ("qwen continues without being watched", COSTS, f"instances watch {ID[:8]}.")),
    ],
)
def test_ctrl_c_ends_the_command_and_says_what_goes_on(
    api: FakeApi, words: tuple[str, ...], said: tuple[str, ...]
) -> None:
    requested = an_instance("provisioning", version=0, hourly_price=0.75, currency="EUR", cost=0.25, server_on=True)
    api.says("GET", "/instances", page(requested))
    api.says("POST", "/instances", values(requested, 202))
    api.says("GET", f"/instances/{ID}", values(requested))
    for path in ("/events", f"/instances/{ID}/events"):
        api.says("GET", path, stream(LAUNCH[:1], hold=True))
    told = interrupted_after(words, "InstanceRequested")
    assert all(part in told for part in said)
    assert len(told.splitlines()) == bool(said)


def test_ctrl_c_while_an_instance_is_asked_for_says_that_nobody_knows_whether_it_was(api: FakeApi) -> None:
    api.says("POST", "/instances", Answer(b"", 202, hold=True))
    command = (sys.executable, "-c", _INTERRUPTIBLE, *CREATE)
    with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
        assert api.holding.wait(30)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert b"The request may have been accepted: check with" in said


def interrupted_after(words: tuple[str, ...], text: str) -> str:
    """What is said on standard error after Ctrl-C, which comes when `text` has been printed."""
    command = [sys.executable, "-c", _INTERRUPTIBLE, *words]
    with subprocess.Popen(command, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert any(text in line for line in iter(running.stdout.readline, ""))
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    return said.strip()


_INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born deaf to it
from coldstart.cli import app
app()
"""


class TestWithoutAnApi:
    @pytest.fixture(autouse=True)
    def _nowhere(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("COLDSTART_API_URL")
        monkeypatch.delenv("COLDSTART_API_KEY")
        monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path))

    @pytest.mark.parametrize(
        "words",
        [
            *(("instances", "list"), ("events", "tail"), ("keys", "list")),
            *(("rebuild",), ("verify",), ("compact",), ("accept-loss",)),
        ],
    )
    def test_without_a_stack_one_is_told_how_to_start_one(self, words: tuple[str, ...], tmp_path: Path) -> None:
        self.refused(run(*words), f"no stack runs in {tmp_path}: start one with 'coldstart up'")

    def test_another_apis_address_does_not_get_the_local_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLDSTART_API_URL", "http://127.0.0.1:1")
        self.refused(run("instances", "list"), "COLDSTART_API_URL is set without COLDSTART_API_KEY")

    @pytest.mark.parametrize("port", ["abc", "99999", "-1"])
    @pytest.mark.parametrize("command", ["up", "doctor"])
    def test_a_port_that_is_none_is_named(self, monkeypatch: pytest.MonkeyPatch, port: str, command: str) -> None:
        monkeypatch.setenv("COLDSTART_API_PORT", port)
        self.refused(run(command), "COLDSTART_API_PORT takes a whole number from 0 to 65535", status=2)

    def test_a_data_folder_that_cannot_be_one_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path / "file"))
        self.refused(run("up"), f"cannot keep data in {tmp_path}/file")
        self.refused(run("instances", "list"), f"no stack runs in {tmp_path}/file")

    @pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
    def test_a_host_that_is_not_ours_is_named(self, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
        monkeypatch.setenv("COLDSTART_API_HOST", host)
        monkeypatch.setenv("COLDSTART_API_PORT", "0")
        self.refused(run("up"), f"cannot listen on port 0 of {host}")

    def test_a_port_that_another_program_has_is_named(self, monkeypatch: pytest.MonkeyPatch, api: FakeApi) -> None:
        port = api.url.rpartition(":")[2]
        monkeypatch.setenv("COLDSTART_API_PORT", port)
        self.refused(run("up"), f"port {port} on 127.0.0.1 is taken by another program")

    def refused(self, result: Result, complaint: str, status: int = 1) -> None:
        assert result.exit_code == status
        assert complaint in result.stderr
        assert "Traceback" not in result.output
