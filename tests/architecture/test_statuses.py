"""Which statuses an instance can have, and what follows from one, is said in shared/lifecycle alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from shared.deployments.deployment import DeploymentStatus
from shared.lifecycle.groups import StatusGroup
from shared.lifecycle.status import Status

ROOT = Path(__file__).parents[2]
STATEMENTS = sorted(path for folder in ("services", "shared") for path in (ROOT / folder).glob("**/*.sql"))
MIGRATIONS = sorted((ROOT / "migrations").glob("*.sql"))
INVARIANTS = {"0001_projections.sql": 2}
"""Migrations that hold the list of all statuses, as an invariant of a column, and how often."""
CONSOLE = ROOT / "services" / "api" / "console"
PAGES = sorted([*CONSOLE.glob("static/*.js"), *CONSOLE.glob("templates/*.html")])
COMMANDS = sorted(ROOT.glob("coldstart/**/*.py"))
NO_STATUSES: Final = {"chart.js": ["failed"], "requests.js": ["failed"]}
"""Words that are also statuses, but are said of requests."""
OF_STATUSES: Final = {"Status", "INSTALL_AHEAD"}
"""What the command line may know of statuses: their names, and how long an install's output may still grow."""
STATUS_IN_SQL = re.compile(f"'({'|'.join(Status)})'")


@pytest.mark.parametrize("path", STATEMENTS, ids=lambda path: path.stem)
def test_a_statement_is_given_the_statuses_it_is_about(path: Path) -> None:
    assert not STATUS_IN_SQL.findall(path.read_text())


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_names_every_status_or_none(path: Path) -> None:
    assert sorted(STATUS_IN_SQL.findall(path.read_text())) == sorted([*Status] * INVARIANTS.get(path.name, 0))


def test_a_column_may_have_every_status_of_a_deployment_and_no_other() -> None:
    migration = (ROOT / "migrations" / "0011_deployments.sql").read_text()
    lists = re.findall(r"status IN \(([^)]*)\)", migration)
    assert [re.findall(r"'(\w+)'", each) for each in lists] == [[*DeploymentStatus]] * 2


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_takes_what_a_status_means_from_the_description(path: Path) -> None:
    assert list(statuses_on_a_page(path.read_text())) == NO_STATUSES.get(path.name, [])


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
def test_a_command_takes_what_a_status_means_from_the_description(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not list(statuses_in_a_command(tree))
    assert groups_of_statuses(tree) <= OF_STATUSES


def statuses_on_a_page(text: str) -> Iterator[str]:
    """The quoted ones. Only an instance's group may be compared: what is shown where is not the lifecycle's."""
    for found in re.finditer(rf"""(\bgroup [!=]== )?(["'`])({"|".join(Status)})\2""", text):
        if not (found[1] and found[3] in {*StatusGroup}):
            yield found[3]


def statuses_in_a_command(tree: ast.AST) -> Iterator[str]:
    """The quoted ones, except those that are also words for people, such as "ready": these only where they decide."""
    deciding = (ast.Compare, ast.MatchValue, ast.Set, ast.Dict)
    decided = {id(inner) for node in ast.walk(tree) if isinstance(node, deciding) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and (
            node.value in {*Status} - {*StatusGroup} or (node.value in {*Status} and id(node) in decided)
        ):
            yield str(node.value)


def groups_of_statuses(tree: ast.AST) -> set[str]:
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {name.name for node in imports if node.module == Status.__module__ for name in node.names}


@pytest.mark.parametrize(
    "put_back",
    [
        "one.status === 'ready'",
        '"ready" === one.status',
        '["ready", "unavailable"].includes(one.status)',
        'switch (one.status) {\n case "failed": return 1 }',
        'new Set(["failed"]).has(one.status)',
        'one.group === "booting"',
    ],
)
def test_a_status_that_is_put_back_on_a_page_is_found(put_back: str) -> None:
    assert list(statuses_on_a_page(put_back))


@pytest.mark.parametrize(
    "put_back",
    [
        "one.status == 'ready'",
        "'ready' == one['status']",
        "one.status in ('ready', 'failed')",
        "x = {'ready', 'failed'}",
        "x = ('booting', 'installing')",
        "match one.status:\n    case 'ready': pass",
    ],
)
def test_a_status_that_is_put_back_in_a_command_is_found(put_back: str) -> None:
    assert list(statuses_in_a_command(ast.parse(put_back)))
