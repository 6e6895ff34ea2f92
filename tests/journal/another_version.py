"""Events as another version writes them: with other names, fields, words or a newer schema."""

import json
from collections.abc import Callable
from typing import Any

from shared.journal.envelope import SCHEMA_VERSION

ANOTHER = "0another"
Body = dict[str, Any]


def body_of(data: bytes) -> Body:
    return dict(json.loads(data))


def written(data: bytes, *changes: Callable[[Body], None]) -> bytes:
    """The same event as another version writes it."""
    body = body_of(data)
    body["vocabulary"] = ANOTHER
    for change in changes:
        change(body)
    return json.dumps(body).encode()


def with_field(*path: str, value: Any = "new") -> Callable[[Body], None]:
    """A field that this version does not know, at this place of `data`."""

    def change(body: Body) -> None:
        place = body["data"]
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return change


def named(name: str) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        body["type"] = name
        body["dataschema"] = f"urn:coldstart:event:{name}:{SCHEMA_VERSION}"

    return change


def of_schema(version: int) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        body["dataschema"] = f"urn:coldstart:event:{body['type']}:{version}"

    return change
