"""What `dataschema` names: the files are the code's, and the examples of the tests' histories are as they say."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource

from shared.journal.data_schemas import KIND_OF, bundled, files, written
from shared.journal.event_examples import FILE, example_of
from tests.journal import event_examples

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docs" / "schemas"


def test_the_files_are_the_codes() -> None:
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == {
        name: written(schema) for name, schema in files()
    }, "make docs"


def test_the_examples_are_those_of_the_tests_and_each_event_has_one() -> None:
    kept = (ROOT / "shared" / "journal" / FILE).read_text()
    assert kept == event_examples.written(), "make docs"
    assert json.loads(kept).keys() == KIND_OF.keys()


@pytest.mark.parametrize("event", sorted(KIND_OF))
def test_an_example_is_as_its_schema_says(event: str) -> None:
    example, schema = example_of(event), bundled(event)
    assert schema["$id"] == example["dataschema"]
    Draft202012Validator.check_schema(schema)
    whole = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    whole.validate(example["data"])
    for inner in schema["examples"]:
        whole.validate(inner)


def without(data: dict[str, Any], *path: str) -> dict[str, Any]:
    """The same with what is at this path taken away."""
    name, *rest = path
    return {each: without(of, *rest) if each == name else of for each, of in data.items() if rest or each != name}


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ("IpAssigned", ("event", "ip_address")),
        ("IpAssigned", ("instance", "status")),
        ("IpAssigned", ("instance",)),
        ("DeploymentScaled", ("deployment", "wish")),
        ("DeploymentScaled", ("event", "reason")),
    ],
)
def test_what_lacks_something_is_refused(event: str, path: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        Draft202012Validator(bundled(event)).validate(without(example_of(event)["data"], *path))


def test_the_files_refer_to_each_other() -> None:
    schemas = [json.loads(path.read_text()) for path in FOLDER.glob("*.json")]
    registry: Registry[Any] = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas
    )
    for event in KIND_OF:
        schema = json.loads((FOLDER / f"{event}.json").read_text())
        Draft202012Validator(schema, registry=registry).validate(example_of(event)["data"])
