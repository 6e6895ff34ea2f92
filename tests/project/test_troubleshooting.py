"""Each error code is explained, and docs/troubleshooting.md is what the code's tables say."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from services.api.control import problems
from services.api.http import error_codes
from services.api.router import refusal
from services.health.worker_causes import CAUSES, KILLED, UNKNOWN, Cause
from services.provisioner.actions.install import INSTALL_FAILED, NO_RESULT
from services.provisioner.actions.install_reports import WAITING
from services.provisioner.install import causes
from services.provisioner.providers.scaleway.errors import LOST
from shared.error_codes import CODES, ExplainedCode
from tools.troubleshooting import page, refusals

ROOT: Final = Path(__file__).parents[2]
PLACES: Final = {"Row": 1, "fail": 1} | dict.fromkeys(
    ("TryAgain", "Rejected", "SoldOut", "Busy", "InUse", "NoImage"), 0
)
IN_THE_API: Final = {"Problem": 1, "Refusal": 1, "_unavailable": 0}
"""Which argument of these calls is a code."""


def modules(*folders: str) -> list[ast.Module]:
    return [ast.parse(path.read_text()) for each in folders for path in (ROOT / "services" / each).rglob("*.py")]


def constants(module: ast.Module) -> Mapping[str, str]:
    return {
        node.target.id: node.value.value
        for node in ast.walk(module)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def arguments(module: ast.Module, places: Mapping[str, int]) -> Iterator[ast.expr]:
    """What is given as a code."""
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        name = getattr(call.func, "id", None) or getattr(call.func, "attr", None)
        place = places.get(str(name))
        if place is not None and place < len(call.args):
            yield call.args[place]
        yield from (keyword.value for keyword in call.keywords if keyword.arg == "code")


def used(every: list[ast.Module], places: Mapping[str, int]) -> set[str]:
    known = {name: value for module in every for name, value in constants(module).items()}
    found = set[str]()
    for argument in (argument for module in every for argument in arguments(module, places)):
        match argument:
            case ast.Constant(value=str(code)):
                found.add(code)
            case ast.Name(id=name) if name in known:
                found.add(known[name])
    return found


def test_every_code_of_an_instance_is_explained_and_no_other() -> None:
    tabled = {code for code, _ in NO_RESULT.values()} | {code for _, code, _ in LOST} | {WAITING, "server_lost"}
    tabled |= {cause.code for cause in causes.CAUSES} | {INSTALL_FAILED}
    assert used(modules("provisioner", "health"), PLACES) | tabled == CODES.keys()


def test_every_code_of_the_server_and_the_router_is_explained_and_no_other() -> None:
    tabled = {code for code, *_ in problems.BY_STATUS.values()} | {code for code, _ in refusal.OPENAI_S.values()}
    own = used(modules("api"), IN_THE_API) | tabled
    assert own - {each.code for each in refusals()} == error_codes.CODES.keys()


EXPLAINED: Final = (*CAUSES, KILLED, UNKNOWN, *CODES.values(), *error_codes.CODES.values())


@pytest.mark.parametrize("told", EXPLAINED, ids=lambda told: told.means)
def test_an_explanation_is_sentences(told: Cause | ExplainedCode) -> None:
    assert told.means.endswith(".")
    assert told.advice.endswith(".")


def test_the_page_is_drawn_from_the_code() -> None:
    assert (ROOT / "docs/troubleshooting.md").read_text() == page(), "run `make docs`"
