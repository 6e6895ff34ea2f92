"""`/asyncapi`: the AsyncAPI document as a page, for anybody."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from litestar import get
from litestar.response import Template

from services.api.console.rendering import bare
from services.api.control.asyncapi.document import document
from services.api.control.authorization import OPEN


@dataclass(frozen=True)
class Field:
    name: str
    kind: str
    required: bool


@dataclass(frozen=True)
class Event:
    """`fields` are those of `data.event`, but for the id and the moment that every event has."""

    name: str
    description: str
    fields: tuple[Field, ...]
    example: str


@dataclass(frozen=True)
class Channel:
    address: str
    title: str
    description: str
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Reference:
    title: str
    version: str
    paragraphs: tuple[str, ...]
    channels: tuple[Channel, ...]


_EVERY: Final = {"instance_id", "deployment_id", "occurred_at"}


@cache
def reference() -> Reference:
    """What the page shows of the document. The channel over HTTP repeats the others' events: it has none here."""
    found = document()
    told: set[str] = set()
    channels = []
    for channel in found["channels"].values():
        events = [name for name in channel["messages"] if name not in told]
        told |= set(events)
        channels.append(
            Channel(
                channel["address"],
                channel["title"],
                channel["description"],
                tuple(_event(name, found["components"]) for name in events),
            )
        )
    info = found["info"]
    paragraphs = tuple(" ".join(part.split()) for part in info["description"].split("\n\n"))
    return Reference(info["title"], info["version"], paragraphs, tuple(channels))


def _event(name: str, components: Mapping[str, Any]) -> Event:
    message, schema = components["messages"][name], components["schemas"][name]
    (example,) = message["examples"]
    text = json.dumps(example["payload"], indent=2, ensure_ascii=False)
    return Event(name, message.get("description", ""), tuple(_fields(schema)), text)


def _fields(schema: Mapping[str, Any]) -> Iterator[Field]:
    required = set(schema.get("required", ()))
    for name, of in schema["properties"].items():
        if name not in _EVERY:
            yield Field(name, kind_of(of), name in required)


def kind_of(schema: Mapping[str, Any]) -> str:
    """A field's type in a word or two."""
    match schema:
        case {"$ref": reference}:
            return str(reference).rpartition("/")[2]
        case {"enum": values}:
            return " | ".join(map(str, values))
        case {"anyOf": alternatives} | {"oneOf": alternatives}:
            return " or ".join(kind_of(one) for one in alternatives)
        case {"format": named}:
            return str(named)
        case {"type": "array", "items": items}:
            return f"list of {kind_of(items)}"
        case _:
            return str(schema.get("const", schema.get("type", "anything")))


@get("/asyncapi", opt=OPEN)
async def asyncapi_page() -> Template:
    return bare("event_reference", reference=reference())


ROUTES: Final = (asyncapi_page,)
