"""The page at /asyncapi: prose with code in it, and the type of each field in a word or two."""

from typing import Any

import pytest
from markupsafe import Markup

from services.api.console.event_reference import kind_of, reference
from services.api.console.rendering import in_code
from shared.journal.data_schemas import KIND_OF


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("no code", "no code"),
        ("`a` and `b`", "<code>a</code> and <code>b</code>"),
        ("a < b, `c < d`", "a &lt; b, <code>c &lt; d</code>"),
        ("`<script>`", "<code>&lt;script&gt;</code>"),
        ("one ` alone", "one ` alone"),
    ],
)
def test_prose_is_escaped_and_what_is_between_backticks_is_code(text: str, html: str) -> None:
    assert in_code(text) == Markup(html)  # noqa: S704 - it is what is expected


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#/components/schemas/Action"}, "Action"),
        ({"const": "generate"}, "generate"),
        ({"enum": ["off", "mutual"]}, "off | mutual"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"type": "array", "items": {"type": "integer"}}, "list of integer"),
        ({}, "anything"),
    ],
)
def test_a_type_is_said_in_a_word_or_two(schema: dict[str, Any], words: str) -> None:
    assert kind_of(schema) == words


def test_each_event_is_there_once_with_the_fields_of_its_own() -> None:
    events = [event for channel in reference().channels for event in channel.events]
    assert sorted(event.name for event in events) == sorted(KIND_OF)
    (assigned,) = [event for event in events if event.name == "IpAssigned"]
    fields = {field.name: field.required for field in assigned.fields}
    assert fields == {"server_id": True, "ip_address": True, "address_id": False, "skipped": False}
