"""Whatever the OpenAPI document gives as an example is valid, and each body of a deployment has one."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import pytest

from tests.api.openapi.test_document import described, operations, resolved
from tests.api.stage import Stage


async def test_each_example_is_valid(stage: Stage) -> None:
    document = await described(stage)
    wrong = list(invalid(document))
    assert not wrong, "\n".join(wrong)


async def test_each_body_of_a_deployment_has_examples_that_the_api_takes(stage: Stage) -> None:
    await stage.offer()
    api = await stage.api()
    document = (await api.client.get("/schema/openapi.json")).json()
    taken = []
    for name, operation in operations(document):
        if "/deployments" in name and "requestBody" in operation:
            method, _, path = name.partition(" ")
            schema = resolved(document, operation["requestBody"]["content"]["application/json"]["schema"])
            for example in schema["examples"]:
                answer = await api.client.request(method, path.format(name="chat"), json=example)
                assert answer.is_success, answer.text
                taken.append(name)
    assert {"PUT /deployments/{name}", "POST /deployments/{name}/scale"} == set(taken)
    for part in ("RolloutBody", "TurnBody"):
        assert document["components"]["schemas"][part]["examples"]


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ({"type": "integer", "examples": [1, "one"]}, "/part: 'one' is not of type \"integer\""),
        ({"properties": {"examples": {"type": "integer", "examples": ["one"]}}}, "/part/properties/examples: "),
        ({"name": "n", "schema": {"type": "integer"}, "example": "one"}, "/part: "),
        ({"schema": {"$ref": "#/components/schemas/Few"}, "examples": {"a": {"value": 9}}}, "/part: 9 is greater"),
    ],
)
def test_an_example_that_is_not_valid_is_found(part: Any, wrong: str) -> None:
    (found,) = invalid({"components": {"schemas": {"Few": {"maximum": 3}}}, "part": part})
    assert found.startswith(wrong.replace("'one'", '"one"'))


def invalid(document: Mapping[str, Any]) -> Iterator[str]:
    for pointer, schema, example in examples(document):
        validator = jsonschema_rs.Draft202012Validator({"components": document["components"], "allOf": [schema]})
        for error in validator.iter_errors(example):
            yield f"{pointer}: {error.message}"


def examples(value: Any, pointer: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where each of them is given, with its schema: its own, or that of its parameter or media type."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return
    if not pointer.endswith("/properties"):
        schema = value.get("schema", value)
        if "example" in value:
            yield pointer, schema, value["example"]
        given = value.get("examples", [])
        for example in given if isinstance(given, list) else (each["value"] for each in given.values()):
            yield pointer, schema, example
    for name, inner in value.items():
        yield from examples(inner, f"{pointer}/{name}")
