"""What `get` writes is what `apply` takes: where it came from, it changes nothing; elsewhere, it makes the same."""

import json
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coldstart.api_client import ApiProblem
from coldstart.commands.get import nameable
from coldstart.declared.carrying_out import carry_out
from coldstart.declared.differences import ApplyPlan, differences
from coldstart.declared.files import STDIN, declarations
from coldstart.declared.installed import Installation
from coldstart.declared.kinds import IN_ORDER
from coldstart.declared.written import written
from coldstart.declared.yaml_text import dumped
from tests.coldstart.declared.arbitrary import installations
from tests.coldstart.fake_api import Answer, values
from tests.coldstart.fake_installation import FakeInstallation, InMemoryApi


def got(installation: FakeInstallation, kinds: Sequence[str] = tuple(IN_ORDER)) -> list[dict[str, Any]]:
    there = Installation(InMemoryApi(installation))
    return [one for kind in kinds for one in written(nameable([each.what for each in there.all(kind)]))]


def planned(text: str, installation: FakeInstallation, *, prune: bool = False) -> ApplyPlan:
    declared = declarations([STDIN], StringIO(text))
    return differences(declared, Installation(InMemoryApi(installation)), prune=prune)


def applied(text: str, installation: FakeInstallation) -> None:
    """Twice: an organisation stays as long as it has a deployment."""
    for _ in range(2):
        for change in planned(text, installation, prune=True).changes:
            carry_out(InMemoryApi(installation), change)


@given(installation=installations(), as_json=st.booleans())
def test_what_was_got_changes_nothing_where_it_came_from(installation: FakeInstallation, as_json: bool) -> None:
    declared = got(installation)
    if not declared:
        return
    plan = planned(json.dumps(declared) if as_json else dumped(declared), installation, prune=True)
    assert [change for change in plan.changes if change.what.kind != "KeyLimits"] == []
    assert plan.changes == ()


@given(here=installations(), there=installations())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_applied_elsewhere_it_makes_the_same_and_the_second_time_nothing(
    here: FakeInstallation, there: FakeInstallation
) -> None:
    there.models.clear()  # a task never changes
    kinds = [kind for kind in IN_ORDER if kind != "KeyLimits"]
    declared = got(here, kinds)
    if not declared:
        return
    applied(dumped(declared), there)
    assert planned(dumped(declared), there, prune=True).changes == ()
    assert [one for one in declared if one not in got(there, kinds)] == []


@given(here=installations(), there=installations(), after=st.integers(0, 8))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_run_that_breaks_off_anywhere_is_finished_by_another(
    here: FakeInstallation, there: FakeInstallation, after: int
) -> None:
    there.models.clear()
    declared = got(here, [kind for kind in IN_ORDER if kind != "KeyLimits"])
    if not declared:
        return

    def broken(method: str, path: str) -> Answer | None:
        change = method != "GET" and path != "/models/fit"
        return values({"title": "broken off"}, 503) if change and len(there.writes) >= after else None

    there.refuse = broken
    try:
        applied(dumped(declared), there)
    except ApiProblem:
        there.refuse = lambda _method, _path: None
        applied(dumped(declared), there)
    assert planned(dumped(declared), there, prune=True).changes == ()


@pytest.mark.parametrize("name", ["no", "1.5", "Zürich", "\u202e", "a: b", "- x", "0123", "~", "1e5", "1e-05"])
def test_a_name_is_read_as_it_was_written(name: str) -> None:
    text = dumped([{"kind": "KeyLimits", "name": "x", "allowed_models": [name]}])
    (one,) = declarations([Path("-")], StringIO(text))
    assert one.what.fields()["allowed_models"] == [name]
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("amount", [0.5, 1e-05, 1e12])
@pytest.mark.parametrize("write", [json.dumps, dumped])
def test_a_number_is_read_as_it_was_written(amount: float, write: Callable[[list[dict[str, Any]]], str]) -> None:
    text = write([{"kind": "Organization", "slug": "acme", "spend_per_hour": amount}])
    (one,) = declarations([STDIN], StringIO(text))
    assert one.what.fields()["spend_per_hour"] == amount
