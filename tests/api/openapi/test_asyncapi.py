"""The AsyncAPI document: the specification's own schema accepts it, its examples fit, and anybody reads it."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest
import yaml

from services.api.control.asyncapi.document import as_yaml, document
from shared.bus.accounts import followers
from shared.journal.data_schemas import KIND_OF, bundled
from tests.api.stage import Stage

ROOT: Final = Path(__file__).parents[3]
SPECIFICATION: Final = ROOT / "tests/node/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"
needs_node: Final = pytest.mark.skipif(
    "CI" not in os.environ and not SPECIFICATION.exists(),
    reason="@asyncapi/specs is not installed (apt-get install nodejs npm, then make .venv/.ready-node)",
)


def test_the_page_is_the_codes() -> None:
    written = (ROOT / "docs" / "asyncapi.yaml").read_text()
    assert written.partition("\n")[2] == as_yaml(), "make docs"
    assert yaml.safe_load(written) == json.loads(json.dumps(document()))


@needs_node
def test_the_specifications_own_schema_accepts_it_and_refuses_what_is_wrong() -> None:
    valid = jsonschema_rs.validator_for(json.loads(SPECIFICATION.read_text()))
    found = json.loads(json.dumps(document()))
    assert [f"{error.instance_path} {error.message[:200]}" for error in valid.iter_errors(found)] == []
    assert not valid.is_valid({**found, "channels": {"instances": {"address": 7}}})
    assert not valid.is_valid({**found, "operations": {"send": {"action": "shout"}}})


def test_every_event_is_a_message_of_its_channel_and_its_example_is_as_its_payload_says() -> None:
    found = document()
    channels, components = found["channels"], found["components"]
    instances, deployments = channels["instances"]["messages"], channels["deployments"]["messages"]
    assert {*instances, *deployments} == {*channels["events"]["messages"]} == {*components["messages"]} == {*KIND_OF}
    assert not {*instances} & {*deployments}
    for message in components["messages"].values():
        schema = {**message["payload"], "components": {"schemas": components["schemas"]}}
        valid = jsonschema_rs.Draft7Validator(schema)
        for example in message["examples"]:
            assert [error.message for error in valid.iter_errors(example["payload"])] == []
            assert not valid.is_valid({**example["payload"], "type": "InstanceVanished"})
            assert not valid.is_valid({**example["payload"], "data": {"event": {}}})


def test_every_reference_has_an_end() -> None:
    found = document()
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(found))):
        at: Any = found
        for part in reference.split("/"):
            at = at[part]


def test_a_follower_may_subscribe_to_the_subjects_that_it_names() -> None:
    (follower,) = [user for user in followers().users if user.name == "follower"]
    for channel in ("instances", "deployments"):
        described = document()["channels"][channel]
        named = re.findall(r"`(lifecycle\.[^`]+)`", described["description"])
        assert len(named) == 3
        assert "lifecycle.>" in follower.subscribe
        assert described["address"].startswith("lifecycle.")


async def test_it_is_written_once_however_many_ask(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []

    def dump(described: object, **_: object) -> str:
        written.append(described)
        return "asyncapi: 3.0.0"

    monkeypatch.setattr("yaml.dump", dump)
    as_yaml.cache_clear()
    try:
        api = await stage.api()
        answers = await asyncio.gather(*(api.client.get("/asyncapi.yaml") for _ in range(5)))
    finally:
        as_yaml.cache_clear()
    assert {answer.text for answer in answers} == {"asyncapi: 3.0.0"}
    assert len(written) == 1


async def test_anybody_reads_the_document_the_page_and_the_schemas(stage: Stage) -> None:
    api = await stage.api()
    async with api.stranger() as stranger:
        text, page, schema, unknown = await asyncio.gather(
            *map(
                stranger.get, ("/asyncapi.yaml", "/asyncapi", "/schemas/events/InstanceReady", "/schemas/events/Ready")
            )
        )
    assert (text.status_code, text.headers["content-type"]) == (200, "application/yaml")
    assert text.text == as_yaml()
    assert schema.headers["content-type"] == "application/schema+json"
    assert schema.json() == bundled("InstanceReady")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert not re.findall(r'(?:src|href)="(?!/|data:)', page.text)
    for event in KIND_OF:
        assert f'id="{event}"' in page.text
        assert f'href="/schemas/events/{event}"' in page.text
