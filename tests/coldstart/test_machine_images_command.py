"""`coldstart machine-images`, against an api that says what each test is about."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from tests.coldstart.fake_api import FakeApi, page, values
from tests.coldstart.told import ID


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ("machine-images", *words))


def an_image(**fields: Any) -> dict[str, Any]:
    example: dict[str, Any] = {
        "id": "an-image", "build": ID, "state": "available", "organization_id": None, "provider": "scaleway",
        "zone": "fr-par-2", "instance_type": "L4-1-24G", "vllm_image": "vllm/vllm-openai:v0.32.0", "model": None,
        "commit": None, "vllm_args": [], "warmed": None, "size_gb": 60,
        "monthly_price": 4.8, "currency": "EUR", "created_at": "2026-01-02T03:04:05Z",
        "progress_percent": 100, "doing": "",
    }  # fmt: skip
    return {**example, **fields}


def test_a_build_is_asked_for_with_what_is_named(api: FakeApi) -> None:
    api.says("POST", "/machine-images", values(an_image(state="building")))
    words = ("--zone", "fr-par-2", "--model", "a/b", "--vllm-arg", "--max-model-len=8192", "--organization", "acme")
    told = run("build", "--type", "L4-1-24G", *words)
    assert told.stdout == f"{ID}  building; 'coldstart instances watch {ID[:8]}' follows it\n"
    assert api.asked[0].body == {
        "instance_type": "L4-1-24G", "zone": "fr-par-2", "model": "a/b", "vllm_args": ["--max-model-len=8192"],
        "organization": "acme",
    }  # fmt: skip
    assert json.loads(run("build", "--type", "L4-1-24G", "--json").stdout)["build"] == ID


def test_images_are_listed_with_their_cost_and_builds_with_their_progress(api: FakeApi) -> None:
    building = an_image(
        id=None, state="building", size_gb=None, monthly_price=None, progress_percent=57, doing="installing"
    )
    api.says("GET", "/machine-images", page(an_image(model="a/b"), building))
    _, available, under_way = run("list").stdout.splitlines()
    assert available.split() == [
        "an-image", "available", "fr-par-2", "L4-1-24G", "vllm/vllm-openai:v0.32.0", "a/b", "60", "GB", "4.80", "EUR",
        "2026-01-02", "03:04",
    ]  # fmt: skip
    assert under_way.split()[-3:] == ["57", "%", "installing"]
    assert len(json.loads(run("list", "--json").stdout)) == 2


def test_an_image_is_deleted_after_a_question(api: FakeApi) -> None:
    api.says("DELETE", "/machine-images/an-image", values(an_image(state="retired")))
    assert run("delete", "an-image").exit_code == 2
    assert not api.asked
    assert run("delete", "an-image", "--yes").stdout == "an-image  is deleted as soon as no launch needs it\n"
    assert json.loads(run("delete", "an-image", "--yes", "--json").stdout)["state"] == "retired"


def test_an_id_that_would_be_another_address_is_refused(api: FakeApi) -> None:
    assert run("delete", "..", "--yes").exit_code == 2
    assert not api.asked
