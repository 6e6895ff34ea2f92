"""The JSON schema of an event in the stream, made from the models. `python -m` this prints docs/events-schema.json.

https://json-schema.org/draft/2020-12
"""

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from shared.journal.data_schemas import DIALECT, KIND_OF, KINDS
from shared.journal.envelope import SCHEMA_VERSION, EventKind

_TEXT: Final = {"type": "string"}
_UNPUBLISHED: Final = {"Wish"}
"""Published as a Specification."""
_REFERENCES: Final = "#/$defs/{model}"


def schema() -> dict[str, Any]:
    """`type` decides which fact is in `data.event`, and whether `data.instance` or `data.deployment` is beside it."""
    published = {name: model for kind in KINDS for name, model in _published_of(kind)}
    models: list[tuple[str, Any, Any]] = [
        (name, "serialization", TypeAdapter(each)) for name, each in published.items()
    ]
    references, shared = TypeAdapter.json_schemas(models, ref_template=_REFERENCES)
    of = {name: reference for (name, _), reference in references.items()}
    return {
        "$schema": DIALECT,
        "title": "An event of Coldstart: CloudEvents 1.0 in JSON",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "dataschema", "actor", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid"},
            "source": _TEXT,
            "type": {"enum": sorted(KIND_OF)},
            "subject": {"type": "string", "format": "uuid"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"type": "string", "pattern": f"^urn:coldstart:event:[A-Za-z]+:{SCHEMA_VERSION}$"},
            "vocabulary": _TEXT,
            "actor": _TEXT,
            "causationid": {"type": "string", "format": "uuid"},
            "traceparent": _TEXT,
            "data": {
                "type": "object",
                "required": ["event"],
                "properties": {"event": {"type": "object"}, **{each.name: of[each.state.__name__] for each in KINDS}},
            },
        },
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}},
                "then": {"properties": {"data": {"required": [kind.name], "properties": {"event": of[name]}}}},
            }
            for name, kind in sorted(KIND_OF.items())
        ],
        "$defs": {name: model for name, model in shared["$defs"].items() if name not in _UNPUBLISHED},
    }


def _published_of(kind: EventKind[Any, Any]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Its events, and what is after them."""
    yield from kind.events.items()
    yield kind.state.__name__, kind.state


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=1, sort_keys=True) + "\n")
