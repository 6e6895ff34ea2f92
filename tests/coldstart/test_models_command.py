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


def test_the_task_of_a_model_is_said_and_its_code_is_allowed(api: FakeApi) -> None:
    api.says("POST", "/models", values(FOUND, 201), values(FOUND, 200))
    assert run("models", "add", MODEL, "--task", "embed", "--trust-remote-code").exit_code == 0
    assert run("models", "add", MODEL, "--no-trust-remote-code").exit_code == 0
    assert [asked.body for asked in api.asked] == [
        {"model": MODEL, "task": "embed", "trust_remote_code": True},
        {"model": MODEL, "trust_remote_code": False},
    ]


def test_a_model_that_the_hub_does_not_know_is_refused(api: FakeApi) -> None:
    api.says("POST", "/models", problem(422, "The model is not known", "nobody/nothing is not on the hub."))
    result = run("models", "add", "nobody/nothing")
    assert (result.exit_code, result.stderr) == (1, "The model is not known: nobody/nothing is not on the hub.\n")
    assert run("models", "add", "").exit_code == 2


LISTED: dict[str, Any] = {
    "model": MODEL,
    "offering_of": None,
    "in_catalogue": True,
    "gated": False,
    "task": "generate",
    "parameters": 494_032_768,
    "weights_bytes": 988_065_536,
    "loaded_gb": 0.988,
    "downloads": 4_200_000,
    "usable": True,
    "why": None,
}
GATED = LISTED | {"model": "a/gated", "in_catalogue": False, "gated": True, "usable": False, "why": "Accept it."}
NOTHING_KNOWN = dict.fromkeys(("task", "parameters", "weights_bytes", "loaded_gb", "downloads"))
LARGE = LISTED | {"model": "a/large", "parameters": 405_000_000_000, "loaded_gb": 810.0}
OTHER = LISTED | NOTHING_KNOWN | {"model": "a/other", "in_catalogue": False}
OFFERING = LISTED | {"model": "acme/chat", "offering_of": MODEL, "downloads": None}


def test_models_are_searched_with_their_figures_and_what_is_in_the_way(api: FakeApi) -> None:
    items = [LISTED, OFFERING, GATED, LARGE, OTHER]
    api.says("GET", "/models/search", values({"items": items, "hub": {"status": "answered", "detail": None}}))
    found = run("models", "search", "qwen 0.5b", "--limit", "5", "--organization", "acme")
    assert (found.exit_code, found.stderr) == (0, "")
    assert [" ".join(line.split()) for line in found.stdout.splitlines()] == [
        "model where task parameters weights downloads",
        f"{MODEL} catalogue generate 0.49 B 1.0 GB 4,200,000",
        f"acme/chat catalogue generate 0.49 B 1.0 GB is {MODEL}",
        "a/gated hub generate 0.49 B 1.0 GB 4,200,000 gated: Accept it.",
        "a/large catalogue generate 405 B 810.0 GB 4,200,000",
        "a/other hub",
    ]
    assert api.asked[0].path == "/models/search?q=qwen+0.5b&limit=5&organization=acme"


def test_a_hub_that_does_not_answer_is_told_on_standard_error_beside_what_was_found(api: FakeApi) -> None:
    answer = {"items": [LISTED], "hub": {"status": "unavailable", "detail": "It is down."}}
    api.says("GET", "/models/search", values(answer))
    found = run("models", "search", "qwen", "--json")
    assert found.stderr == "warning: It is down.\n"
    assert json.loads(found.stdout) == answer
    assert run("models", "search", "").exit_code == 2


def test_that_nothing_is_found_is_said(api: FakeApi) -> None:
    api.says("GET", "/models/search", values({"items": [], "hub": {"status": "answered", "detail": None}}))
    assert run("models", "search", "nothing-like-it").stdout == "No model matches these words.\n"


TYPE: dict[str, Any] = {
    "provider": "scaleway",
    "instance_type": "L4-1-24G",
    "fits": "no",
    "why": "L4-1-24G has no room for a context of 131072 tokens.",
    "gpus": 1,
    "context": 39_936,
    "requests": 1,
    "hourly_price": 0.79,
    "currency": "EUR",
}


def test_each_type_is_shown_with_what_fits_it_and_its_price(api: FakeApi) -> None:
    other = TYPE | {"instance_type": "own", "fits": "unknown", "why": None, "context": None, "requests": None}
    found = {"model": MODEL, "why_not": [], "warnings": ["The image may differ."], "items": [TYPE, other]}
    api.says("POST", "/models/fit", values(found))
    result = run("models", "fit", MODEL, "--vllm-arg=--enforce-eager", "--revision", "v1")
    lines = result.stdout.splitlines()
    assert result.stderr == "warning: The image may differ.\n"
    assert api.asked[0].body == {"model": MODEL, "vllm_args": ["--enforce-eager"], "revision": "v1"}
    assert lines[0].split() == ["type", "fits", "GPUs", "used", "context", "requests", "per", "hour"]
    assert lines[1].split()[:5] == ["L4-1-24G", "no", "1", "39,936", "1"]
    assert lines[1].endswith("L4-1-24G has no room for a context of 131072 tokens.")
    assert lines[2].split()[:3] == ["own", "unknown", "1"]


def test_what_speaks_against_every_type_is_said_once(api: FakeApi) -> None:
    why = "acme/model has its weights only as GGUF files."
    found = {"model": MODEL, "why_not": [why], "warnings": [], "items": [TYPE | {"why": None}]}
    api.says("POST", "/models/fit", values(found))
    result = run("models", "fit", MODEL)
    assert (result.stdout + result.stderr).count(why) == 1
    assert json.loads(run("models", "fit", MODEL, "--json").stdout)["why_not"] == [why]


def test_what_is_wrong_with_a_fit_is_said_by_the_option(api: FakeApi) -> None:
    detail = "Invalid value 'abc' for --max-model-len: it takes a whole number, such as 8192 or 8k."
    wrong = [{"pointer": "/vllm_args/0", "detail": detail}]
    refusal = {"title": "The request is not valid", "detail": "all of it", "errors": wrong}
    api.says("POST", "/models/fit", values(refusal, 422))
    result = run("models", "fit", MODEL, "--vllm-arg=--max-model-len=abc")
    assert (result.exit_code, result.stderr.splitlines()) == (
        1,
        ["The request is not valid:", f"--vllm-arg --max-model-len=abc: {detail}"],
    )
