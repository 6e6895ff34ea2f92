"""What cannot be taken back is asked about, says what becomes of it, and is refused where nobody can be asked."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.commands import asking, deadletters
from services.api import console
from services.api.console.words import words as console_words
from tests.coldstart.deployed import a_deployment
from tests.coldstart.fake_api import FakeApi, page, problem, values
from tests.coldstart.told import ID, MODEL, an_instance

DELETE_UNKNOWN = ("reconcile", "--delete-unknown")
STATIC = Path(console.__file__).parent / "static"
RESOLVED = {"instances": [{"id": ID, "in_flight": 3}]}


@pytest.fixture(autouse=True)
def _laid_down(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    api.says("GET", "/instances", page(an_instance()))
    api.says("GET", f"/instances/{ID}", values(an_instance()))
    api.says("GET", "/models/resolve", values(RESOLVED))
    api.says("GET", "/models", page({"id": ID, "model": MODEL}))
    api.says("GET", "/api-keys", page({"id": ID, "name": "mine"}))
    for method, path in DONE:
        api.says(method, path, values({**a_deployment(), **an_instance("terminating"), "items": []}))


DONE = (
    ("DELETE", f"/instances/{ID}"),
    ("POST", f"/instances/{ID}/drain"),
    ("POST", f"/instances/{ID}/reinstall"),
    ("DELETE", f"/api-keys/{ID}"),
    ("DELETE", "/organizations/acme"),
    ("DELETE", "/organizations/acme/offerings/chat"),
    ("POST", "/reconcile"),
    ("DELETE", f"/models/{ID}"),
    ("DELETE", "/deployments/chat"),
)
COMMANDS = (
    (("instances", "terminate", "qwen"), f"It serves {MODEL}, with 3 requests in flight."),
    (("instances", "drain", "qwen"), f"It serves {MODEL}, with 3 requests in flight."),
    (("instances", "reinstall", "qwen"), f"It serves {MODEL}, with 3 requests in flight."),
    (("keys", "revoke", "6d16"), "refused from now on"),
    (("orgs", "delete", "acme"), "its offerings are deleted"),
    (("orgs", "offerings", "remove", "acme", "chat"), "are then answered with 404"),
    (("deployments", "delete", "chat"), "All its replicas end after their running requests"),
    (("models", "remove", MODEL), "An offering that it shadowed answers again."),
    (DELETE_UNKNOWN, "Delete all resources of instances that this installation does not know?"),
)


def run(*words: str, typed: str = "") -> Any:
    return CliRunner().invoke(app, words, input=typed)


def done(api: FakeApi) -> list[tuple[str, str]]:
    return [(asked.method, asked.path) for asked in api.asked if asked.method != "GET"]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "somebody_is_there", lambda: True)


@pytest.mark.parametrize(
    ("words", "told"), COMMANDS, ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_without_a_terminal_nothing_is_done_and_the_exit_status_is_2(
    api: FakeApi, words: tuple[str, ...], told: str
) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout, done(api)) == (2, "", [])
    assert told in result.stderr
    assert result.stderr.endswith("There is no terminal to ask on: add --yes to do it.\n")


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("words", "told"), COMMANDS, ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_on_a_terminal_it_asks_and_does_what_is_answered(api: FakeApi, words: tuple[str, ...], told: str) -> None:
    refused = run(*words, typed="n\n")
    assert (refused.exit_code, done(api)) == (1, [])
    assert told in refused.stderr
    assert run(*words, typed="y\n").exit_code == 0
    assert len(done(api)) == 1


@pytest.mark.parametrize(
    ("words", "told"), COMMANDS, ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_a_script_says_yes_and_is_not_asked(api: FakeApi, words: tuple[str, ...], told: str) -> None:
    result = run(*words, "--yes")
    assert (result.exit_code, len(done(api))) == (0, 1), told


@pytest.mark.parametrize("status", ["provisioning", "starting", "startup_failed"])
def test_what_does_not_serve_is_ended_at_once(api: FakeApi, status: str) -> None:
    api.says("GET", f"/instances/{ID}", values(an_instance(status)))
    assert run("instances", "terminate", "qwen").exit_code == 0
    assert len(done(api)) == 1


def test_requests_that_nobody_can_count_are_not_said_to_be_none(api: FakeApi) -> None:
    api.says("GET", "/models/resolve", problem(503, "Not now", "later"))
    assert "with an unknown number of requests in flight." in run("instances", "terminate", "qwen").stderr


def test_whoever_terminates_reads_of_the_gentler_way() -> None:
    assert "`coldstart instances drain qwen` lets them finish first." in run("instances", "terminate", "qwen").stderr


def test_the_console_asks_in_the_same_words() -> None:
    static = "".join(path.read_text() for path in STATIC.glob("*.js")) + json.dumps(console_words())
    for words in (("instances", "terminate", ID), *(command for command, _ in COMMANDS[1:6])):
        said = run(*words).stderr.split("?", 1)[1].splitlines()[0]
        told = said.partition("in flight. ")[2] or said
        told = told.partition(" `coldstart")[0].replace("acme/chat", "${name}").strip()
        assert told in static, told


@pytest.mark.parametrize(
    ("command", "question"),
    [
        ("rebuild", "Rebuild the read model?"),
        ("compact", "Compact the stream?"),
        ("accept-loss", "Accept the loss?"),
    ],
)
def test_what_changes_the_read_model_or_the_stream_asks_before_it_runs(
    monkeypatch: pytest.MonkeyPatch, command: str, question: str
) -> None:
    monkeypatch.setenv("COLDSTART_NATS_URL", "nats://127.0.0.1:9")
    monkeypatch.setenv("COLDSTART_DATABASE_URL", "postgresql://127.0.0.1:9/none")
    result = run(command)
    assert (result.exit_code, question in result.stderr) == (2, True)


def test_a_replay_of_all_dead_letters_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadletters, "_with_letters", lambda _: [SimpleNamespace(number=1), SimpleNamespace(number=2)])
    monkeypatch.setattr(deadletters, "_replayed", lambda _: True)
    assert (run("deadletters", "replay", "--all").exit_code) == 2
    assert (run("deadletters", "replay", "--all", "--yes").exit_code) == 0
