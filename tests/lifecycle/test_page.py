"""docs/lifecycle.md says what the tables say."""

import re
from pathlib import Path

from shared.lifecycle.events import EVENTS
from shared.lifecycle.page import lifecycle_page
from shared.lifecycle.status import FAILURES, LIVE, Status
from shared.lifecycle.transitions import TRANSITIONS

ROOT = Path(__file__).parents[2]
ARROW = re.compile(r"    (\S+) --> (\S+): (.+)")


def drawn_moves() -> set[tuple[str, str, str]]:
    """Every (status, event, status after) of the diagram, with its groups taken apart."""
    groups = {"group1": LIVE, "group2": FAILURES}
    arrows = (match.groups() for match in map(ARROW.fullmatch, lifecycle_page().splitlines()) if match)
    return {
        (status, event, after)
        for source, after, events in arrows
        for event in events.split(", ")
        for status in groups.get(source, (source,))
    }


def test_the_page_in_the_docs_is_the_one_that_the_tables_draw() -> None:
    written = (ROOT / "docs" / "lifecycle.md").read_text(encoding="utf-8")
    assert written == lifecycle_page(), "run: python -m shared.lifecycle.page > docs/lifecycle.md"


def test_the_diagram_draws_every_move_and_no_other() -> None:
    table = {(status, kind.type(), after) for status in Status for kind, after in TRANSITIONS[status].items()}
    assert drawn_moves() == table | {("[*]", "InstanceRequested", Status.PROVISIONING)}


def test_every_status_and_every_event_has_its_row() -> None:
    page = lifecycle_page()
    assert all(f"| `{status}` |" in page for status in Status)
    assert all(f"\n| {name} |" in page for name in EVENTS)
