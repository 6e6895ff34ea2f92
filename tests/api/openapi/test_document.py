"""The OpenAPI document says of every operation who may ask, what is taken, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from services.api.http.inference_paths import is_inference
from tests.api.stage import Stage

FILE: Final = Path(__file__).parents[3] / "docs/openapi.yaml"
INT8 = 2**63
METHODS = ("get", "post", "put", "patch", "delete")


async def test_each_operation_says_who_may_ask_and_all_that_it_may_answer(stage: Stage) -> None:
    document = await described(stage)
    unsaid: list[str] = []
    for name, operation in operations(document):
        answers = set(operation["responses"])
        keyed = operation.get("security") != []
        expected = {"400", "408", "413", "414", "431", "500", "503"} | ({"401", "429"} if keyed else set())
        if "requestBody" in operation:
            expected |= {"415", "422"}
        if "{" in name:
            expected |= {"404"}
        if not expected <= answers or "default" in answers or not answers & {"200", "201", "202", "204"}:
            unsaid.append(f"{name} {sorted(answers)}")
        if not keyed and name not in {"GET /healthz", "GET /readyz"}:
            unsaid.append(f"{name} is open to everybody")
    assert not unsaid, "\n".join(unsaid)
    assert set(document["components"]["securitySchemes"]) == {"key", "session", "x-api-key"}
    terminate = document["paths"]["/instances/{instance_id}"]["delete"]
    assert {"202", "403", "409"} <= set(terminate["responses"])
    assert "403" not in document["paths"]["/models"]["get"]["responses"], "any key may list the models"


async def test_the_file_of_the_document_is_what_an_api_serves(stage: Stage) -> None:
    assert yaml.safe_load(FILE.read_text()) == await described(stage), "make docs"


async def test_all_that_is_taken_is_bounded_by_what_the_database_can_hold(stage: Stage) -> None:
    document = await described(stage)
    unbounded: list[str] = []
    for name, operation in operations(document):
        if is_inference(name.partition(" ")[2]):
            continue  # goes to a worker, and into no database
        for parameter in operation.get("parameters", []):
            if parameter["in"] != "header":  # a header can hold neither a null character nor more than its limit
                unbounded += (f"{name} {parameter['name']}{at}" for at in loose(document, parameter["schema"]))
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if body is not None:
            unbounded += (f"{name} {at}" for at in loose(document, body))
            assert resolved(document, body)["additionalProperties"] is False, name
    assert not unbounded, "\n".join(unbounded)


async def described(stage: Stage) -> dict[str, Any]:
    api = await stage.api()
    return dict((await api.client.get("/schema/openapi.json")).json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return dict(document["components"]["schemas"][name]) if name else schema


def loose(document: dict[str, Any], schema: dict[str, Any], at: str = "") -> Iterator[str]:
    """Where a number has no bounds, or a text may have a null character."""
    schema = resolved(document, schema)
    for alternative in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if schema.get("type") != "string" or "pattern" not in schema:
            yield from loose(document, {"type": schema.get("type"), **alternative}, at)
    for name, inner in schema.get("properties", {}).items():
        yield from loose(document, inner, f"{at}/{name}")
    if schema.get("type") == "array":
        yield from loose(document, schema["items"], f"{at}/*")
    if schema.get("type") in {"integer", "number"}:
        least = schema.get("minimum", schema.get("exclusiveMinimum", -INT8 - 1))
        if not (least >= -INT8 and schema.get("maximum", INT8) < INT8):
            yield at
    closed = {"pattern", "format", "enum", "const", "anyOf", "oneOf"} & schema.keys()
    if schema.get("type") == "string" and not closed:
        yield at
