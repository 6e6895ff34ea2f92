"""Which statuses an instance can have, and what follows from one, is said in shared/lifecycle alone."""

import re
from pathlib import Path

import pytest

from shared.lifecycle.status import Status

ROOT = Path(__file__).parents[2]
STATEMENTS = sorted(path for folder in ("services", "shared") for path in (ROOT / folder).glob("**/*.sql"))
MIGRATIONS = sorted((ROOT / "migrations").glob("*.sql"))
INVARIANTS = {"0001_projections.sql": 2}
"""Migrations that hold the list of all statuses, as an invariant of a column, and how often."""
STATUS_IN_SQL = re.compile(f"'({'|'.join(Status)})'")


@pytest.mark.parametrize("path", STATEMENTS, ids=lambda path: path.stem)
def test_a_statement_is_given_the_statuses_it_is_about(path: Path) -> None:
    assert not STATUS_IN_SQL.findall(path.read_text())


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_names_every_status_or_none(path: Path) -> None:
    assert sorted(STATUS_IN_SQL.findall(path.read_text())) == sorted([*Status] * INVARIANTS.get(path.name, 0))
