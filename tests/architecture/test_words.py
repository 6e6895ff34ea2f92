"""One name, one thing: no class of the project has another's name, and none has a word of our own for a known idea."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
TOPS: Final = ("shared", "services", "coldstart")
"""The simulator stands alone, and has a cloud's words; the client library has the API's for what it answers."""
SHARED_BY_TWO: Final = {
    "Api": "the service as a program started it, and the command line's client of it",
    "Body": "of a request, as it comes in and as a route reads it",
    "Candidate": "of a launch, and of a request to a model",
    "Kind": "of a resource in a report, and of a refusal; the first is published",
    "Limit": "an option of two commands",
    "Offers": "as the provisioner has them, and as the api shows them",
    "Refused": "the api's refusals, and a connection that a probe did not get",
    "Role": "of a key as the api has it, and as the command line offers it",
    "Silent": "a worker, and a machine",
    "DeploymentTimelineRow": "as it is written, and as it is shown",
    "TimelineRow": "as it is written, and as it is shown",
}
PRIVATE_WORDS: Final = {
    "Mirror": "AccessCache", "Kept": "SingleFlightCache", "Round": "Reconcile", "Undertaking": "ActionContext",
    "Means": "Dependencies", "Passing": "Updates", "LeftOver": "Orphans", "Disowned": "unknown orphans",
    "heeding": "cancellable", "telling": "publishing", "told": "what is returned", "Told": "PlainText",
}  # fmt: skip


def defined(path: Path) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def modules() -> Iterator[Path]:
    for top in TOPS:
        yield from (ROOT / top).rglob("*.py")


def test_no_two_classes_have_one_name() -> None:
    names = Counter(
        node.name
        for path in modules()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, number in names.items() if number > 1} == SHARED_BY_TWO.keys()


def test_nothing_is_named_by_a_word_of_our_own() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {PRIVATE_WORDS[node.name.lstrip('_')]}"
        for path in (*modules(), *(ROOT / "coldstart_client").rglob("*.py"))
        for node in defined(path)
        if node.name.lstrip("_") in PRIVATE_WORDS
    ]
    assert found == []


def test_services_start_on_the_bus_in_one_place() -> None:
    own = {"apply_topology", "applied_topology", "guarded_topology", "connect_options"}
    named = {
        str(path.relative_to(ROOT))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and own & {name.name for name in node.names}
    }
    assert named == {"shared/bus/start_up.py"}
