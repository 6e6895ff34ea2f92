"""What `coldstart up` can be asked to simulate."""

import json
import re

import pytest

from coldstart.stack.scenarios import PLAYED, Name, played
from simulator.scenario import Scenario
from tests.embedded.owners import PROJECT

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("name", Name)
def test_each_name_is_played_and_reaches_the_simulated_cloud_whole(name: Name) -> None:
    chosen = played(name, realistic=False)
    assert chosen == PLAYED[name]
    assert Scenario.model_validate_json(chosen.scenario.model_dump_json()) == chosen.scenario
    assert chosen.scenario != Scenario() or chosen.anonymous


def test_without_a_name_the_simulated_cloud_does_nothing_in_particular() -> None:
    assert played(None, realistic=False) is None


@pytest.mark.parametrize("name", [None, *Name])
def test_a_realistic_one_takes_the_time_of_a_machine_and_fails_as_without(name: Name | None) -> None:
    chosen = played(name, realistic=True)
    assert chosen is not None
    assert chosen.scenario.rates is not None
    otherwise = PLAYED[name].scenario if name else Scenario()
    assert chosen.scenario.model_copy(update={"rates": None, "token": otherwise.token}) == otherwise


def test_the_page_names_them_all() -> None:
    page = (PROJECT / "docs/running.md").read_text()
    assert set(
        re.findall(
            r"^\| `([a-z-]+)` \| ", page.partition("| scenario |")[2].partition("Both go together")[0], re.MULTILINE
        )
    ) == set(Name)


def test_the_words_end_as_sentences() -> None:
    assert all(each.about.endswith(".") for each in PLAYED.values())
    assert json.dumps([each.model for each in PLAYED.values()]).count("/") == len(PLAYED)
