"""`coldstart webhooks`."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.commands import webhooks
from tests.coldstart.fake_api import FakeApi, page, values
from tests.coldstart.told import ID

URL = "https://receiver.example/hook"
WEBHOOK = {
    "id": ID,
    "url": URL,
    "organization": "acme",
    "description": "for chat",
    "events": ["InstanceReady"],
    "models": ["a/b"],
    "organizations": None,
    "status": "active",
    "failing_since": None,
    "switched_off": None,
    "waiting": 2,
}
DELIVERY = {
    "id": "0e0b",
    "kind": "test",
    "type": "WebhookTest",
    "sequence": None,
    "state": "pending",
    "tries": 0,
    "status": None,
    "reason": None,
    "next_try_at": "2026-01-01T12:00:00Z",
    "created_at": "2026-01-01T12:00:00Z",
}


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(webhooks, "_LOOK_S", 0.0)
    api.says("GET", "/webhooks", page(WEBHOOK))


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["webhooks", *words])


def test_a_webhook_is_created_with_its_filters_and_its_secret_is_shown(api: FakeApi) -> None:
    api.says("POST", "/webhooks", values({**WEBHOOK, "secret": "whsec_c2VjcmV0"}, 201))
    made = run("create", URL, "--event", "InstanceReady", "--model", "a/b", "--organization", "acme")
    assert made.stdout == f"{ID}  {URL}\nwhsec_c2VjcmV0\n"
    assert api.asked[-1].body == {"url": URL, "events": ["InstanceReady"], "models": ["a/b"], "organization": "acme"}


def test_the_list_and_one_of_them_say_how_they_fare(api: FakeApi) -> None:
    failing = {**WEBHOOK, "status": "failing", "failing_since": "2026-01-01T12:00:00Z", "models": None}
    api.says("GET", "/webhooks", page(WEBHOOK, {**failing, "events": None}))
    listed = run("list").stdout
    assert "acme   active                             2        InstanceReady, of a/b" in listed
    assert "failing since 2026-01-01T12:00:00" in listed
    assert "all events" in listed
    api.says("GET", "/webhooks", page(WEBHOOK))
    api.says("GET", f"/webhooks/{ID}", values({**WEBHOOK, "status": "off", "switched_off": "gone"}))
    api.says("GET", f"/webhooks/{ID}/deliveries", page({**DELIVERY, "reason": "it answered 500", "tries": 3}))
    shown = run("show", ID[:6]).stdout
    assert "for chat, off (gone), InstanceReady, of a/b, 2 waiting" in shown
    assert "it answered 500" in shown


@pytest.mark.parametrize(
    ("became", "code", "told"),
    [
        ({"state": "delivered", "status": 204}, 0, "delivered: it answered 204"),
        (
            {"state": "undelivered", "reason": "its name cannot be resolved"},
            1,
            "Not delivered: its name cannot be resolved.",
        ),
    ],
)
def test_a_test_says_what_came_of_it(api: FakeApi, became: dict[str, Any], code: int, told: str) -> None:
    api.says("POST", f"/webhooks/{ID}/test", values(DELIVERY, 202))
    api.says("GET", f"/webhooks/{ID}/deliveries", page(DELIVERY), page({**DELIVERY, **became}))
    tested = run("test", ID)
    assert (tested.exit_code, told in tested.output) == (code, True)


def test_a_test_that_nobody_sends_is_not_waited_for_for_ever(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TEST_S", 0.0)
    api.says("POST", f"/webhooks/{ID}/test", values(DELIVERY, 202))
    tested = run("test", ID)
    assert (tested.exit_code, "does the service webhooks run?" in tested.output) == (1, True)


def test_a_replay_begins_at_a_place_a_time_or_so_long_ago(api: FakeApi) -> None:
    api.says("POST", f"/webhooks/{ID}/replay", values({"id": ID, "from_sequence": 3, "through_sequence": 9}, 202))
    assert run("replay", ID, "--from", "3").stdout == "Events 3 to 9 are sent again.\n"
    run("replay", ID, "--from", "2026-01-31T09:30:00+00:00")
    run("replay", ID, "--from", "2h")
    bodies = [asked.body for asked in api.asked if asked.method == "POST"]
    assert bodies[:2] == [{"from_sequence": 3}, {"from_time": "2026-01-31T09:30:00+00:00"}]
    ago = datetime.now(UTC) - datetime.fromisoformat(bodies[2]["from_time"])
    assert timedelta(hours=2) <= ago < timedelta(hours=3)
    for wrong in ("yesterday", "2026-01-31T09:30:00"):
        assert run("replay", ID, "--from", wrong).exit_code == 2


def test_a_webhook_is_switched_rotated_and_deleted(api: FakeApi) -> None:
    api.says(
        "PATCH", f"/webhooks/{ID}", values({**WEBHOOK, "status": "off", "switched_off": "request"}), values(WEBHOOK)
    )
    api.says("POST", f"/webhooks/{ID}/rotate-secret", values({**WEBHOOK, "secret": "whsec_bmV3"}))
    api.says("DELETE", f"/webhooks/{ID}", values(None, 204))
    assert run("off", ID).stdout == f"{ID}  off (request)\n"
    assert run("on", ID).stdout == f"{ID}  active\n"
    assert run("rotate", ID).stdout == "whsec_bmV3\n"
    assert run("delete", ID, "--yes").stdout == f"{ID}  deleted\n"
    bodies = [asked.body for asked in api.asked if asked.method == "PATCH"]
    assert bodies == [{"enabled": False}, {"enabled": True}]
    assert json.loads(run("list", "--json").stdout) == [WEBHOOK]
