"""Each room of the api keeps its statements beside its repository, and asks nobody else's."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

API = Path(__file__).parents[2] / "services" / "api"
STATEMENTS = sorted(API.rglob("*.sql"))


def texts(room: Path) -> Iterator[tuple[Path, str]]:
    for path in room.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node.value


def test_there_are_statements_in_many_rooms() -> None:
    assert len({path.parent for path in STATEMENTS}) > 5


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda path: path.stem)
def test_a_statement_is_used_where_it_is_kept(statement: Path) -> None:
    room, folder = statement.parents[1], statement.parent
    assert (folder.name, room.parent) == ("sql", API)
    assert statement.stem in {text for _, text in texts(room)}


def test_no_room_reads_another_room_s_statements() -> None:
    rooms = {f"services.api.{statement.parents[1].name}": statement.parents[1] for statement in STATEMENTS}
    read = [(path, text) for path, text in texts(API) if text in rooms]
    assert {text for _, text in read} == rooms.keys()
    assert not [(path.name, text) for path, text in read if rooms[text] not in path.parents]
