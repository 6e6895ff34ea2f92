import json
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from tests.coldstart.fake_api import FakeApi, page, problem, values
from tests.coldstart.told import ID, MODEL

FOUND = {"id": ID, "model": MODEL, "task": "generate", "gated": True, "created_at": "2026-01-01T00:00:00Z"}


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words)


def test_the_catalogue_is_listed_page_by_page(api: FakeApi) -> None:
    other = FOUND | {"model": "BAAI/bge-small-en-v1.5", "task": "embed", "gated": False}
    api.says("GET", "/models", page(FOUND, then="more"), page(other))
    lines = [line.split() for line in run("models", "list").stdout.splitlines()]
    assert lines == [
        ["model", "task", "gated", "added"],
        [MODEL, "generate", "yes", "2026-01-01T00:00:00"],
        ["BAAI/bge-small-en-v1.5", "embed", "2026-01-01T00:00:00"],
    ]


def test_the_catalogue_is_listed_as_json(api: FakeApi) -> None:
    api.says("GET", "/models", page(FOUND))
    assert json.loads(run("models", "list", "--json").stdout) == [FOUND]


def test_a_model_is_added_by_its_id(api: FakeApi) -> None:
    api.says("POST", "/models", values(FOUND, 201))
    assert run("models", "add", MODEL).stdout == f"{ID}  {MODEL}  generate\n"
    assert api.asked[0].body == {"model": MODEL}


def test_a_model_that_the_hub_does_not_know_is_refused(api: FakeApi) -> None:
    api.says("POST", "/models", problem(422, "The model is not known", "nobody/nothing is not on the hub."))
    result = run("models", "add", "nobody/nothing")
    assert (result.exit_code, result.stderr) == (1, "The model is not known: nobody/nothing is not on the hub.\n")
    assert run("models", "add", "").exit_code == 2
