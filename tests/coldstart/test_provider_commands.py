"""`instance-types`, `costs` and `reconcile`, against an api that says what each test is about."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.commands import asking
from tests.coldstart.fake_api import FakeApi, page, values
from tests.coldstart.told import ID, MODEL, OTHER_ID, an_instance


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")


def run(*words: str, typed: str | None = None) -> Any:
    return CliRunner().invoke(app, words, input=typed)


def a_type(name: str, price: float | None, **more: Any) -> dict[str, Any]:
    example = {
        "provider": "scaleway",
        "name": name,
        "gpus": 1,
        "gpu": "L4",
        "gpu_memory_gb": 24.0,
        "scratch_gb": None,
        "unusable": None,
        "zones": ["a", "b"],
    }
    return {**example, "hourly_price": price, "currency": price and "EUR", "availability": {"a": "scarce"}, **more}


def a_report(**found: Any) -> dict[str, Any]:
    names = ("removed", "unknown", "foreign", "lost", "stopped", "restarted", "readdressed", "expired", "errors")
    return {"provider": "scaleway", "servers": 3, **{name: [] for name in names}, **found}


def test_types_are_listed_cheapest_first_with_their_zones(api: FakeApi) -> None:
    api.says("GET", "/instance-types", page(a_type("H100", 2.73), a_type("own", None), a_type("L4", 0.75)))
    lines = run("instance-types").stdout.splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["L4", "H100", "own"]
    assert lines[1].split()[2:] == ["1", "×", "L4", "24", "GB", "0.75", "EUR", "a", "(scarce),", "b", "(unknown)"]
    assert "unknown" in lines[3]


def test_a_type_shows_its_scratch_storage_and_why_it_is_unusable(api: FakeApi) -> None:
    old = a_type(
        "RENDER-S", 1.22, gpu="P100", unusable="its P100 has compute capability 6.0, and vLLM needs 7.5 or more"
    )
    api.says("GET", "/instance-types", page(a_type("L40S-1-48G", 1.47, gpu_memory_gb=48.0, scratch_gb=1600.0), old))
    _, unusable, large = run("instance-types").stdout.splitlines()
    assert "unusable: its P100 has compute capability 6.0" in unusable
    assert "48 GB" in large
    assert "1.6 TB" in large


def test_costs_are_listed_by_day_and_organisation(api: FakeApi) -> None:
    shared = {"day": "2026-01-02", "organization_id": None, "currency": "EUR", "cost": 2.25}
    acme, deleted = {**shared, "organization_id": ID}, {**shared, "organization_id": OTHER_ID}
    api.says("GET", "/costs", values({"items": [shared, acme, deleted], "unpriced": 0, "next_cursor": None}))
    api.says("GET", "/organizations", page({"id": ID, "slug": "acme"}))
    result = run("costs", "--from", "2026-01-01", "--organization", "acme")
    told = result.stdout.splitlines()[1:]
    assert result.stderr == ""
    assert [line.split()[1] for line in told] == ["shared", "acme", OTHER_ID[:8]]
    assert told[0].split() == ["2026-01-02", "shared", "2.25", "EUR"]
    assert api.asked[0].path == "/costs?organization=acme&from=2026-01-01"
    assert json.loads(run("costs", "--json").stdout) == [shared, acme, deleted]


def test_costs_say_how_many_instances_are_not_in_them(api: FakeApi) -> None:
    api.says("GET", "/costs", values({"items": [], "unpriced": 2, "next_cursor": None}))
    result = run("costs", "--json")
    assert json.loads(result.stdout) == []
    assert result.stderr.startswith("warning: 2 more instances had a server on at an unknown price")


def test_a_reconciliation_says_what_it_removed_and_what_nobody_knows(api: FakeApi) -> None:
    removed = {"kind": "server", "id": "s-1", "zone": "a", "instance_id": ID, "reason": "duplicate"}
    unknown = {"kind": "volume", "id": "v-1", "zone": "a", "instance_id": OTHER_ID, "hint": "not [ours]?"}
    api.says("POST", "/reconcile", values({"items": [a_report(removed=[removed], unknown=[unknown], lost=[ID])]}))
    result = run("reconcile")
    assert result.exit_code == 0
    said = [line.split() for line in result.stdout.splitlines()]
    assert said[0] == ["scaleway:", "3", "servers", "looked", "at"]
    assert said[1] == ["lost:", "instance", ID]
    assert said[2] == ["removed", "server", "s-1", "a", ID, "duplicate"]
    assert said[3] == ["unknown", "volume", "v-1", "a", OTHER_ID, "not", "[ours]?"]
    assert api.asked[0].body == {"delete_unknown": False}


def test_servers_of_other_installations_are_shown_with_whose_they_are(api: FakeApi) -> None:
    theirs = {"id": "s-1", "zone": "a", "installation": OTHER_ID, "instance_id": ID}
    nobodys = {"id": "s-2", "zone": "a", "installation": None, "instance_id": None}
    api.says("POST", "/reconcile", values({"items": [a_report(foreign=[theirs, nobodys])]}))
    result = run("reconcile")
    assert result.exit_code == 0
    said = [line.split() for line in result.stdout.splitlines()[1:]]
    assert said[0] == ["other", "server", "s-1", "a", ID, "of", "installation", OTHER_ID]
    assert said[1] == ["other", "server", "s-2", "a", "of", "installation", "unknown"]
    assert " ".join(said[2]) == "of other installations: 2, never touched"


def test_what_nobody_knows_is_deleted_only_after_a_yes(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "somebody_is_there", lambda: True)
    api.says("POST", "/reconcile", values({"items": [a_report()]}))
    assert run("reconcile", "--delete-unknown", typed="n\n").exit_code == 1
    assert api.asked == []
    assert run("reconcile", "--delete-unknown", typed="y\n").exit_code == 0
    assert run("reconcile", "--delete-unknown", "--yes").exit_code == 0
    assert [asked.body for asked in api.asked] == [{"delete_unknown": True}] * 2


def test_a_reconciliation_that_was_not_whole_ends_badly_and_says_why(api: FakeApi) -> None:
    api.says("POST", "/reconcile", values({"items": [a_report(errors=["list of servers: cloud_error"])]}))
    result = run("reconcile")
    assert result.exit_code == 1
    assert "cloud_error" in result.stderr


def test_an_instance_may_be_asked_for_with_all_its_limits(api: FakeApi) -> None:
    api.says("POST", "/instances", values(an_instance("provisioning"), 202))
    limits = ("--max-lifetime", "8h", "--idle-shutdown", "30m", "--revision", "main", "--provider", "machines")
    assert run("instances", "create", MODEL, "--vllm-arg=--max-model-len=8192", *limits).exit_code == 0
    assert api.asked[0].body == {
        "model": MODEL,
        "provider": "machines",
        "revision": "main",
        "vllm_args": ["--max-model-len=8192"],
        "max_lifetime": 28_800,
        "idle_shutdown": 1_800,
    }


@pytest.mark.parametrize("typed", ["", "soon", "8 h", "-1", "0", "1w"])
def test_what_is_no_time_is_refused_before_anything_is_asked(api: FakeApi, typed: str) -> None:
    assert run("instances", "create", MODEL, "--type", "any", "--max-lifetime", typed).exit_code == 2
    assert api.asked == []
