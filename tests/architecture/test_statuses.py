"""Which statuses an instance can have, and what follows from one, is said in shared/lifecycle alone."""

import re
from pathlib import Path

import pytest

from shared.lifecycle.groups import StatusGroup
from shared.lifecycle.status import Status

ROOT = Path(__file__).parents[2]
STATEMENTS = sorted(path for folder in ("services", "shared") for path in (ROOT / folder).glob("**/*.sql"))
MIGRATIONS = sorted((ROOT / "migrations").glob("*.sql"))
INVARIANTS = {"0001_projections.sql": 2}
"""Migrations that hold the list of all statuses, as an invariant of a column, and how often."""
CONSOLE = ROOT / "services" / "api" / "console"
SHOWING = sorted([*CONSOLE.glob("static/*.js"), *CONSOLE.glob("templates/*.html"), *ROOT.glob("coldstart/**/*.py")])
STATUS_IN_SQL = re.compile(f"'({'|'.join(Status)})'")


@pytest.mark.parametrize("path", STATEMENTS, ids=lambda path: path.stem)
def test_a_statement_is_given_the_statuses_it_is_about(path: Path) -> None:
    assert not STATUS_IN_SQL.findall(path.read_text())


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_names_every_status_or_none(path: Path) -> None:
    assert sorted(STATUS_IN_SQL.findall(path.read_text())) == sorted([*Status] * INVARIANTS.get(path.name, 0))


@pytest.mark.parametrize("path", SHOWING, ids=lambda path: path.name)
def test_who_shows_instances_takes_what_a_status_means_from_their_description(path: Path) -> None:
    """The groups of statuses may be named: what is shown in which place and when is not the lifecycle's."""
    statuses = "|".join({*Status} - {*StatusGroup})
    text, quote = path.read_text(), """["'`]""" if path.suffix == ".js" else """["']"""
    assert not re.findall(rf"{quote}({statuses}){quote}", text)
    assert not re.findall(rf"status({quote}\])? *[!=]==? *{quote}", text)
