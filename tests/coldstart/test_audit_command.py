"""`coldstart audit`: who asked for what."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from tests.coldstart.fake_api import FakeApi, page
from tests.coldstart.told import ID, OTHER_ID

LAUNCHED: dict[str, Any] = {
    "id": OTHER_ID,
    "at": "2026-01-31T09:30:00.5Z",
    "type": "InstanceRequested",
    "actor": {"kind": "key", "id": OTHER_ID, "name": "the backend"},
    "organization_id": None,
    "subject": {"kind": "instance", "id": ID, "name": "qwen"},
    "details": {"model": "[Qwen]", "instance_types": ["L4-1-24G"]},
}
REFUSED = LAUNCHED | {
    "type": "SignInRefused",
    "actor": {"kind": "stranger", "id": None, "name": "192.0.2.1"},
    "subject": {"kind": "console", "id": "console", "name": "the console"},
    "details": {"by": "key", "reason": "wrong"},
}


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    monkeypatch.setenv("TZ", "UTC")


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ("audit", *words))


def test_entries_are_a_table_for_people_and_json_for_programs(api: FakeApi) -> None:
    api.says("GET", "/audit", page(REFUSED, LAUNCHED))
    head, refused, launched = run().stdout.splitlines()
    assert head.split() == ["time", "by", "what", "of"]
    assert "nobody known, from 192.0.2.1" in refused
    assert "console the console" in refused
    assert "key the backend" in launched
    assert launched.endswith('model: [Qwen], instance types: ["L4-1-24G"]')
    assert json.loads(run("--json").stdout) == [REFUSED, LAUNCHED]
    assert len(run("--limit", "1").stdout.splitlines()) == 2


def test_filters_are_asked_of_the_api(api: FakeApi) -> None:
    api.says("GET", "/audit", page())
    result = run("--type", "SignedIn", "--type", "ApiKeyCreated", "--actor", "ops", "--subject", "qwen",
                 "--organization", "acme", "--since", "2h")  # fmt: skip
    assert result.stdout == "Nothing was asked for, as far as these filters go.\n"
    asked = api.asked[0].path
    for part in ("type=SignedIn", "type=ApiKeyCreated", "actor=ops", "subject=qwen", "organization=acme", "since=20"):
        assert part in asked
    assert "until" not in asked
