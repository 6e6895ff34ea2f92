"""Only what answers HTTP knows HTTP: the rooms below raise `Refused`, and name no status and no framework."""

import ast
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import pytest

API: Final = Path(__file__).parents[2] / "services" / "api"
SPEAK_HTTP: Final = ("console", "control", "http", "router")
WIRING: Final = {"app.py", "application.py", "metrics.py", "probes.py", "stand_in.py", "stand_in_application.py"}
"""They put Litestar's parts together, and name no status either."""
READS_ANSWERS: Final = {"catalogue/hub/client.py"}
"""What the hub answers us, not what we answer. `upstream` is none: of a worker's answers it passes every status on."""
OTHER_NUMBERS: Final = {"usage/settings.py": {400}, "usage/log.py": {500}}
"""Days and rows."""
BELOW: Final = {
    path.relative_to(API).as_posix(): path
    for path in sorted(API.rglob("*.py"))
    if path.relative_to(API).parts[0] not in SPEAK_HTTP
}
STATUSES: Final = range(400, 600)


def framework(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            continue
        yield from (f"line {node.lineno} imports {one}" for one in modules if one.partition(".")[0] == "litestar")


def statuses(tree: ast.AST, others: Collection[int] = ()) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case (
                ast.Name(id="HTTPStatus" | "status_code" as name)
                | ast.Attribute(attr="HTTPStatus" | "status_code" as name)
            ):
                yield f"line {node.lineno} names {name}"
            case ast.ImportFrom(module="http"):
                yield f"line {node.lineno} imports from http"
            case ast.keyword(arg="status_code", value=value):
                yield f"line {value.lineno} gives a status_code"
            case ast.keyword(arg="status", value=ast.Constant(value=int())):
                yield f"line {node.value.lineno} gives a status"
            case ast.Constant(value=int() as number) if number in STATUSES and number not in others:
                yield f"line {node.lineno} has the number {number}"


@pytest.mark.parametrize("name", sorted(BELOW.keys() - READS_ANSWERS))
def test_no_module_below_the_routes_names_an_http_status(name: str) -> None:
    assert not list(statuses(ast.parse(BELOW[name].read_text()), OTHER_NUMBERS.get(name, set())))


@pytest.mark.parametrize("name", sorted(BELOW.keys() - WIRING))
def test_no_module_below_the_routes_imports_litestar(name: str) -> None:
    assert not list(framework(ast.parse(BELOW[name].read_text())))


def test_every_exception_is_needed() -> None:
    for name in READS_ANSWERS:
        assert list(statuses(ast.parse(BELOW[name].read_text()))), name
    for name, numbers in OTHER_NUMBERS.items():
        tree = ast.parse(BELOW[name].read_text())
        for number in numbers:
            assert list(statuses(tree, numbers - {number})), (name, number)
    for name in WIRING:
        assert list(framework(ast.parse(BELOW[name].read_text()))), name


@pytest.mark.parametrize(
    "put_back",
    [
        "raise Problem(403, 'forbidden')",
        "from http import HTTPStatus",
        "import http\nhttp.HTTPStatus.CONFLICT",
        "answer.status_code == wanted",
        "Response(None, status_code=code)",
        "Refusal(status=204)",
        "match status:\n    case 401 | 403: pass",
        "def gone(status: int = 410): ...",
    ],
)
def test_a_status_that_is_put_back_is_found(put_back: str) -> None:
    assert list(statuses(ast.parse(put_back)))


@pytest.mark.parametrize(
    "put_back", ["import litestar", "from litestar.types import Scope", "import litestar.types as its"]
)
def test_an_import_of_litestar_that_is_put_back_is_found(put_back: str) -> None:
    assert list(framework(ast.parse(f"if True:\n    {put_back}")))
