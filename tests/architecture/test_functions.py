"""What ruff does not count: lines. A longer function says beside its name why it is one."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MOST_LINES: Final = 50
ROOT: Final = Path(__file__).parents[2]


def long_functions(source: str) -> Iterator[tuple[str, str]]:
    """The name of each, and the line on which it stands."""
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_LINES:
                yield node.name, lines[node.lineno - 1]


def test_a_function_of_more_than_fifty_lines_says_why() -> None:
    silent = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in ("coldstart", "services", "shared", "simulator")
        for path in (ROOT / folder).rglob("*.py")
        for name, line in long_functions(path.read_text(encoding="utf-8"))
        if " - " not in line.partition("# ")[2]
    ]
    assert not silent


def test_a_long_function_is_found_and_a_short_one_is_not() -> None:
    body = "    pass\n" * MOST_LINES
    assert [name for name, _ in long_functions(f"def long():\n{body}def short():\n    pass\n")] == ["long"]
