"""Each error code is explained, and docs/troubleshooting.md is what the code's tables say."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from services.health.worker_causes import CAUSES, KILLED, UNKNOWN, Cause
from services.provisioner.actions.install import NO_RESULT, WAITING
from services.provisioner.providers.scaleway.errors import LOST
from shared.error_codes import CODES, ExplainedCode
from tools.troubleshooting import page

ROOT: Final = Path(__file__).parents[2]
PLACES: Final = {"Row": 1, "fail": 1} | dict.fromkeys(
    ("TryAgain", "Rejected", "SoldOut", "Busy", "InUse", "NoImage"), 0
)
"""Which argument of these calls is a code."""


def modules() -> Iterator[ast.Module]:
    for service in ("provisioner", "health"):
        for path in (ROOT / "services" / service).rglob("*.py"):
            yield ast.parse(path.read_text())


def constants(module: ast.Module) -> Mapping[str, str]:
    return {
        node.target.id: node.value.value
        for node in ast.walk(module)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def arguments(module: ast.Module) -> Iterator[ast.expr]:
    """What is given as a code."""
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        name = getattr(call.func, "id", None) or getattr(call.func, "attr", None)
        place = PLACES.get(str(name))
        if place is not None and place < len(call.args):
            yield call.args[place]
        yield from (keyword.value for keyword in call.keywords if keyword.arg == "code")


def used() -> set[str]:
    every = list(modules())
    known = {name: value for module in every for name, value in constants(module).items()}
    found = set[str]()
    for argument in (argument for module in every for argument in arguments(module)):
        match argument:
            case ast.Constant(value=str(code)):
                found.add(code)
            case ast.Name(id=name) if name in known:
                found.add(known[name])
    return found | {code for code, _ in NO_RESULT.values()} | {code for _, code, _ in LOST} | {WAITING, "server_lost"}


def test_every_code_that_the_services_give_is_explained_and_no_other() -> None:
    assert used() == CODES.keys()


@pytest.mark.parametrize("told", [*CAUSES, KILLED, UNKNOWN, *CODES.values()], ids=lambda told: told.means)
def test_an_explanation_is_sentences(told: Cause | ExplainedCode) -> None:
    assert told.means.endswith(".")
    assert told.advice.endswith(".")


def test_the_page_is_drawn_from_the_code() -> None:
    assert (ROOT / "docs/troubleshooting.md").read_text() == page(), "run `make docs`"
