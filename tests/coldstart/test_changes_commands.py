"""`keys update`, `orgs update` and `orgs offerings update`: what is named is changed, and nothing else."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from tests.coldstart.fake_api import FakeApi, page, values
from tests.coldstart.told import ID, MODEL

KEY = {"id": ID, "prefix": "csk_abcdef", "name": "[mine]", "role": "user", "created_at": "2026-01-01T00:00:00Z"}
OFFERING = {"name": "acme/chat", "model": MODEL, "active": True}
OFFERINGS = "/organizations/acme/offerings/chat"


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    monkeypatch.setenv("COLUMNS", "200")


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words)


def test_a_key_s_limits_are_set_and_taken_away(api: FakeApi) -> None:
    limited = {**KEY, "requests_per_minute": 60, "max_concurrent": 4, "allowed_models": ["acme/chat", MODEL]}
    api.says("GET", "/api-keys", page(limited))
    api.says("PATCH", f"/api-keys/{ID}", values(limited), values(KEY))
    set_ = run("keys", "update", "6d16", "--requests-per-minute", "60", "--max-concurrent", "4", "--allowed-model", "a")
    assert set_.stdout == f"{ID}  [mine]  60 requests a minute, 4 at once, only acme/chat {MODEL}\n"
    freed = run("keys", "update", "6d16", "--unlimited", "allowed-models", "--unlimited", "tokens-per-minute")
    assert freed.stdout == f"{ID}  [mine]  no limits\n"
    assert [asked.body for asked in api.asked if asked.method == "PATCH"] == [
        {"requests_per_minute": 60, "max_concurrent": 4, "allowed_models": ["a"]},
        {"allowed_models": None, "tokens_per_minute": None},
    ]
    assert json.loads(run("keys", "update", ID, "--max-concurrent", "1", "--json").stdout) == KEY
    assert "60 requests a minute, 4 at once, only acme/chat" in run("keys", "list").stdout


def test_an_offering_is_switched_off_and_on_and_to_another_model(api: FakeApi) -> None:
    api.says("PATCH", OFFERINGS, values({**OFFERING, "active": False}), values(OFFERING))
    update = ("orgs", "offerings", "update", "acme", "chat")
    assert run(*update, "--inactive").stdout == f"acme/chat  {MODEL}  inactive\n"
    assert run(*update, "--active", "--model", MODEL).stdout == f"acme/chat  {MODEL}  active\n"
    assert json.loads(run(*update, "--active", "--json").stdout) == OFFERING
    bodies = [asked.body for asked in api.asked]
    assert bodies == [{"active": False}, {"active": True, "model": MODEL}, {"active": True}]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("keys", "update", "6d16"), "name something to change"),
        (("orgs", "update", "acme"), "name something to change"),
        (("orgs", "offerings", "update", "acme", "chat"), "name something to change"),
        (("keys", "update", "6d16", "--max-concurrent", "2", "--unlimited", "max-concurrent"), "not both"),
        (("orgs", "update", "acme", "--max-instances", "2", "--unlimited", "max-instances"), "not both"),
        (("keys", "update", "6d16", "--max-concurrent", "0"), "greater than or equal"),
        (("keys", "update", "6d16", "--allowed-model", ""), "the value is empty"),
        (("keys", "update", "6d16", "--unlimited", "everything"), "everything"),
        (("keys", "update", "", "--max-concurrent", "1"), "the value is empty"),
        (("orgs", "offerings", "update", "acme", "chat", "--model", ""), "the value is empty"),
        (("orgs", "offerings", "remove", "acme", ".."), "invalid name '..'"),
        (("orgs", "offerings", "remove", "acme", "a/b"), "invalid name 'a/b'"),
        (("orgs", "offerings", "list", "../api-keys"), "invalid name '../api-keys'"),
        (("orgs", "delete", "acme?x"), "invalid name 'acme?x'"),
        (("orgs", "delete", ""), "invalid name ''"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_asked(api: FakeApi, words: tuple[str, ...], complaint: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert complaint in result.stderr
    assert api.asked == []
