"""What the import contracts cannot say: what is pure imports the standard library and pydantic, nothing else."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ACTOR, PLAIN_TEXT = ROOT / "shared" / "actor.py", ROOT / "shared" / "plain_text.py"
LIFECYCLE = [*sorted((ROOT / "shared" / "lifecycle").glob("*.py")), ACTOR, PLAIN_TEXT]
CLIENT = sorted((ROOT / "coldstart_client").rglob("*.py"))
ESTIMATES = sorted((ROOT / "shared" / "eta").glob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", LIFECYCLE, ids=lambda path: path.name)
def test_the_lifecycle_imports_actors_plain_text_the_standard_library_and_pydantic_only(path: Path) -> None:
    for module in imported(path):
        root = module.partition(".")[0]
        pure = module.startswith("shared.lifecycle") or module in {"shared.actor", "shared.plain_text"}
        assert pure or root == "pydantic" or root in sys.stdlib_module_names


@pytest.mark.parametrize("path", ESTIMATES, ids=lambda path: path.name)
def test_estimates_import_the_lifecycle_the_standard_library_and_pydantic_only(path: Path) -> None:
    for module in imported(path):
        root = module.partition(".")[0]
        pure = module.startswith(("shared.lifecycle", "shared.eta"))
        assert pure or root == "pydantic" or root in sys.stdlib_module_names


@pytest.mark.parametrize("path", CLIENT, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_client_library_imports_itself_httpx_pydantic_and_the_standard_library_only(path: Path) -> None:
    roots = {module.partition(".")[0] for module in imported(path)}
    assert roots <= {"coldstart_client", "httpx", "httpx_sse", "pydantic", *sys.stdlib_module_names}


@pytest.mark.parametrize("path", [*LIFECYCLE, *ESTIMATES], ids=lambda path: path.name)
def test_the_pure_has_no_clock_no_randomness_and_no_await(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Await | ast.AsyncFunctionDef)]
    assert not set(imported(path)) & {"asyncio", "logging", "os", "random", "secrets", "socket", "time"}
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not called & {"now", "utcnow", "today", "uuid4", "uuid1"}


def test_no_folder_is_named_for_the_kind_of_thing_it_holds() -> None:
    nondescript = {"utils", "util", "common", "helpers", "helper", "core", "base", "manager", "misc"}
    code = [
        path
        for top in ("shared", "services", "simulator", "coldstart", "coldstart_client")
        for path in (ROOT / top).rglob("*")
    ]
    assert not [path for path in code if path.stem in nondescript]


def test_a_process_that_goes_on_running_is_started_in_one_place() -> None:
    """`stack/rented.py` reads what its process prints, and waits for its end."""
    asynchronous = "create_subprocess_exec("
    found = {
        str(path.relative_to(ROOT)) for path in (ROOT / "coldstart").rglob("*.py") if asynchronous in path.read_text()
    }
    assert found == {"coldstart/supervised/process.py", "coldstart/stack/rented.py"}
