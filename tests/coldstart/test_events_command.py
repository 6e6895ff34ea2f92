"""`coldstart events tail`: what it asks for, and what it refuses to ask for."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from tests.coldstart.deployed import happened_to
from tests.coldstart.fake_api import FakeApi, page, stream
from tests.coldstart.told import FAILURE, ID, LAUNCH, an_instance
from tests.deployments import facts as d
from tests.deployments.facts import AT

RESET = b'id: ffffffff-0\nevent: reset\ndata: {"position": "ffffffff-0"}\n\n'


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    for path in ("/events", f"/instances/{ID}/events"):
        api.says("GET", path, stream((*LAUNCH, FAILURE[1]), more=RESET))


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ("events", "tail", *words))


def test_a_line_says_when_of_whom_what_and_what_is_special_about_it() -> None:
    lines = run("--type", "sshinstallphasereached", "--type", "PROVISIONINGFAILED").stdout.splitlines()
    phase, failed = (event.at.astimezone() for event in (LAUNCH[3], FAILURE[1]))
    assert lines == [
        f"{phase:%H:%M:%S}.000  {ID[:8]}  SshInstallPhaseReached   installing    57 % (image_pull)",
        f"{failed:%H:%M:%S}.000  {ID[:8]}  ProvisioningFailed       provisioning failed   5 % (m [x])",
    ]


def test_a_line_about_a_deployment_names_it(api: FakeApi) -> None:
    api.says("GET", "/events", stream(happened_to(d.deployment_created(), d.deployment_scaled(basis=1)), more=RESET))
    at = f"{AT.astimezone():%H:%M:%S}.000"
    assert run("--type", "deploymentscaled").stdout.splitlines() == [
        f"{at}  {str(d.ID)[:8]}  DeploymentScaled         chat: active (0 → 1 replicas: why it is so)"
    ]


def test_it_begins_now_or_at_the_start_or_some_time_ago(api: FakeApi) -> None:
    run()
    run("--from-start", "--instance", ID)
    run("--since", "30m")
    queries = [urlsplit(asked.path) for asked in api.asked]
    assert [(query.path, query.query) for query in queries[:2]] == [
        ("/events", ""),
        (f"/instances/{ID}/events", "from=start"),
    ]
    (since,) = parse_qs(queries[2].query)["from"]
    ago = datetime.now(UTC) - datetime.fromisoformat(since)
    assert timedelta(minutes=30) <= ago < timedelta(minutes=31)


@pytest.mark.parametrize(
    ("words", "commands"),
    [
        ((), ["nats sub 'lifecycle.>'"]),
        (("--type", "InstanceReady"), ["nats sub 'lifecycle.*.InstanceReady'"]),
        (("--instance", ID), [f"nats sub 'lifecycle.{ID}.>'"]),
        (
            ("--instance", "qwen", "--type", "HealthLost", "--type", "HealthRestored"),
            [f"nats sub 'lifecycle.{ID}.HealthLost'", f"nats sub 'lifecycle.{ID}.HealthRestored'"],
        ),
    ],
)
def test_the_same_for_the_nats_command_line(api: FakeApi, words: tuple[str, ...], commands: list[str]) -> None:
    api.says("GET", "/instances", page(an_instance()))
    assert run(*words, "--nats").stdout.splitlines() == commands
    assert all(asked.path != "/events" for asked in api.asked)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--type", "InstanceRedy"), "did you mean InstanceReady"),
        (("--type", "Redy"), "InstanceReady?"),
        (("--type", "restored"), "did you mean HealthRestored?"),
        (("--type", "InstanceReady", "--type", "zzz"), "unknown event 'zzz'; see docs/lifecycle.md"),
        (("--type", ""), "the value is empty"),
        (("--since", "yesterday"), "invalid duration"),
        (("--since", "-5"), "invalid duration"),
        (("--since", "5m", "--from-start"), "not both"),
        (("--nats", "--json"), "with --type and --instance only"),
        (("--nats", "--since", "5m"), "with --type and --instance only"),
        (("--instance", " "), "the value is empty"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_asked(
    api: FakeApi, words: tuple[str, ...], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert complaint in result.stderr
    assert api.asked == []
