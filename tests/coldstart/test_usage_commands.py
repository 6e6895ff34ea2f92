"""`coldstart usage` and `coldstart resolve`: what was used, and what a name means."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from tests.coldstart.fake_api import FakeApi, page, values
from tests.coldstart.told import ID, MODEL, OTHER_ID

USED = {
    "day": "2026-01-31",
    "key_id": None,
    "organization_id": None,
    "model": MODEL,
    "instance_id": ID,
    "requests": 12_345,
    "failed_requests": 2,
    "prompt_tokens": 1_000_000,
    "completion_tokens": 7,
    "first_byte_ms": {"p50": 34.4, "p95": 1_200.0},
}
CANDIDATE = {"id": ID, "name": "[qwen]", "status": "ready", "eligible": True, "reason": "it is ready", "in_flight": 3}
ANOTHER = {
    **CANDIDATE,
    "id": OTHER_ID,
    "status": "draining",
    "eligible": False,
    "reason": "it is draining",
    "in_flight": 0,
}
FOUND = {
    "rule": "public",
    "model": MODEL,
    "detail": "It is an id.",
    "instances": [ANOTHER, CANDIDATE],
    "deployments": [],
    "fallback": None,
}


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words)


def test_usage_is_added_up_by_what_is_asked_for(api: FakeApi) -> None:
    api.says("GET", "/usage", values({"items": [USED], "truncated": False}))
    head, line = run("usage", "--by", "instance", "--by", "key", "--from", "2026-01-01").stdout.splitlines()
    assert head.split()[:3] == ["instance", "key", "requests"]
    assert line.split() == [ID[:8], "none", "12,345", "2", "1,000,000", "7", "34", "ms,", "1,200", "ms"]
    assert api.asked[0].path == "/usage?group_by=instance&group_by=key&from=2026-01-01"
    assert json.loads(run("usage", "--json").stdout) == [USED]
    assert api.asked[1].path == "/usage?group_by=day&group_by=model"


def test_usage_by_organisation_names_it(api: FakeApi) -> None:
    api.says("GET", "/usage", values({"items": [{**USED, "organization_id": OTHER_ID}], "truncated": False}))
    api.says("GET", "/organizations", page({"id": OTHER_ID, "slug": "acme"}))
    told = run("usage", "--by", "organization", "--organization", "acme").stdout.splitlines()[1]
    assert told.split()[:2] == ["acme", "12,345"]
    assert api.asked[0].path == "/usage?group_by=organization&organization=acme"


def test_an_answer_that_never_began_has_no_time(api: FakeApi) -> None:
    api.says(
        "GET", "/usage", values({"items": [{**USED, "first_byte_ms": {"p50": None, "p95": None}}], "truncated": False})
    )
    assert run("usage").stdout.splitlines()[1].split()[-1] == "7"


def test_sums_that_were_cut_off_are_told_of(api: FakeApi) -> None:
    api.says("GET", "/usage", values({"items": [USED], "truncated": True}))
    result = run("usage", "--json")
    assert json.loads(result.stdout) == [USED]
    assert "Only the first 1 sums are shown" in result.stderr


def test_no_usage_is_said(api: FakeApi) -> None:
    api.says("GET", "/usage", values({"items": [], "truncated": False}))
    assert (run("usage").stdout, run("usage", "--json").stdout) == ("Nothing was used.\n", "[]\n")


@pytest.mark.parametrize(
    "words",
    [("usage", "--by", "hour"), ("usage", "--from", "x"), ("usage", "--to", "2026-02-30"), ("costs", "--from", "1.1.")],
)
def test_what_is_no_day_and_no_group_is_refused_before_anything_is_asked(api: FakeApi, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout, api.asked) == (2, "", [])
    assert "Error" in result.stderr


def test_a_name_is_explained_with_who_would_answer_first(api: FakeApi) -> None:
    api.says("GET", "/models/resolve", values(FOUND))
    result = run("resolve", MODEL)
    first, _, answers, other = result.stdout.splitlines()
    assert (result.exit_code, first) == (0, f"{MODEL} means {MODEL}. It is an id.")
    assert answers.split() == [ID[:8], "[qwen]", "ready", "3", "yes", "it", "is", "ready"]
    assert other.split()[4:] == ["no", "it", "is", "draining"]
    assert json.loads(run("resolve", MODEL, "--json").stdout) == FOUND


def test_a_model_that_nobody_serves_is_said(api: FakeApi) -> None:
    api.says("GET", "/models/resolve", values({**FOUND, "instances": []}))
    assert run("resolve", MODEL).stdout.splitlines()[1:] == ["No instance would answer now."]


def test_a_deployment_that_wakes_and_what_answers_meanwhile_are_said(api: FakeApi) -> None:
    deployments = [
        {"name": "chat", "wakes": True, "reason": "a request wakes it"},
        {"name": "other", "wakes": False, "reason": "chat wakes before it"},
    ]
    found = {**FOUND, "instances": [], "deployments": deployments, "fallback": "a/small-one"}
    api.says("GET", "/models/resolve", values(found))
    assert run("resolve", MODEL).stdout.splitlines()[1:] == [
        "No instance would answer now.",
        "Deployment chat wakes: a request wakes it.",
        "Deployment other does not wake: chat wakes before it.",
        "While no instance is ready, a/small-one answers.",
    ]


def test_a_name_that_means_nothing_is_explained_and_ends_badly(api: FakeApi) -> None:
    nothing: dict[str, Any] = {"rule": None, "model": None, "detail": "It is [nothing].", "instances": []}
    api.says("GET", "/models/resolve", values(nothing))
    result = run("resolve", "x/y")
    assert (result.exit_code, result.stderr) == (1, "'x/y' means nothing to this key. It is [nothing].\n")
    scripted = run("resolve", "x/y", "--json")
    assert (scripted.exit_code, json.loads(scripted.stdout)) == (1, nothing)
    assert run("resolve", " ").exit_code == 2
