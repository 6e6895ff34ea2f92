"""Whoever adds an event knows where: few tables list events, and what belongs to one event stands in its class."""

import ast
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, get_args

import pytest

from shared.deployments.events import DEPLOYMENT_EVENTS
from shared.lifecycle.events import EVENTS, Failing
from shared.lifecycle.status import FAILURES
from shared.lifecycle.transitions import TRANSITIONS

ROOT: Final = Path(__file__).parents[2]
MODULES: Final = {f"shared/lifecycle/{name}.py" for name in ("events", "fold", "news", "transitions")}
SCHEMAS: Final = {"docs/events-schema.json", "shared/journal/event_examples.json"}
DRAWN: Final = {"docs/lifecycle.md", *SCHEMAS}
OF_DEPLOYMENTS: Final = {f"shared/deployments/{name}.py" for name in ("events", "fold", "words")}
DRAWN_OF_DEPLOYMENTS: Final = {"docs/deployments-lifecycle.md", *SCHEMAS}
EVERY: Final = (*EVENTS, *DEPLOYMENT_EVENTS)
REPORTED: Final = {"docs/real-line.md"}
"""It names the events that a run has seen; a new one comes with the next run."""
MANY: Final = 6
"""So many types of events are a table of them, which a new one may have to be added to."""


def named(tree: ast.AST, events: Collection[str] = EVERY) -> set[str]:
    nodes = ast.walk(tree)
    words = (getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "value", None) for node in nodes)
    return {word for word in words if isinstance(word, str)} & {*events}


def tables(source: str, events: Collection[str] = EVERY) -> Iterator[set[str]]:
    """The events that each literal, union and match names; of a match only what it matches."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Match(cases=cases):
                yield set().union(*(named(case.pattern, events) for case in cases))
            case ast.Dict() | ast.Tuple() | ast.List() | ast.Set() | ast.BinOp():
                yield named(node, events)


def sources(suffix: str) -> Iterator[tuple[str, str]]:
    for folder in ("shared", "services", "coldstart", "simulator", "migrations", "docs"):
        for path in (ROOT / folder).glob(f"**/*.{suffix}"):
            yield str(path.relative_to(ROOT)), path.read_text()


@pytest.mark.parametrize(
    ("events", "modules", "drawn"),
    [(EVENTS, MODULES, DRAWN), (DEPLOYMENT_EVENTS, OF_DEPLOYMENTS, DRAWN_OF_DEPLOYMENTS)],
)
def test_an_event_is_added_in_few_modules_and_three_drawn_files(
    events: Collection[str], modules: set[str], drawn: set[str]
) -> None:
    found = {path for path, source in sources("py") if any(len(table) >= MANY for table in tables(source, events))}
    texts = [found for suffix in ("sql", "js", "html", "md", "json", "sh") for found in sources(suffix)]
    pages = {path for path, text in texts if sum(event in text for event in events) >= len(events) // 2}
    assert (found, pages - REPORTED) == (modules, drawn)


def open_matches(source: str) -> Iterator[int]:
    """The lines of those over events which a new event would pass without being decided on."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Match) and any(named(case.pattern) for case in node.cases):
            last = node.cases[-1]
            lines = [ast.unparse(last.pattern), *map(ast.unparse, last.body)]
            if lines != ["_", f"assert_never({ast.unparse(node.subject)})"]:
                yield node.lineno


def test_every_match_over_events_is_closed() -> None:
    assert not [(path, line) for path, source in sources("py") if "match " in source for line in open_matches(source)]


@pytest.mark.parametrize("last", ["case B():\n  pass", "case _:\n  return False", "case _:\n  pass"])
def test_a_match_that_is_opened_is_found(last: str) -> None:
    first, second, *_ = EVENTS
    source = f"match event:\n case {first}():\n  pass\n {last.replace('B', second)}"
    assert list(open_matches(source)) == [1]
    assert not list(open_matches(f"match event:\n case {first}():\n  pass\n case _:\n  assert_never(event)"))


@pytest.mark.parametrize(
    "place", ["{e.A, e.B}", "A | B", "match x:\n case A():\n  pass\n case e.B():\n  pass", "['A', 'B']"]
)
def test_every_way_to_list_events_is_noticed(place: str) -> None:
    first, second, *_ = EVENTS
    (found, *_) = tables(place.replace("A", first).replace("B", second))
    assert found == {first, second}


def test_a_failure_follows_from_the_facts_that_say_why() -> None:
    failing = {event for moves in TRANSITIONS.values() for event, status in moves.items() if status in FAILURES}
    assert failing == set(get_args(Failing))
