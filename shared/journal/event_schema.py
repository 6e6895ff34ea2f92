"""The JSON schema of an event in the stream, made from the models. `python -m` this prints docs/events-schema.json.

https://json-schema.org/draft/2020-12
"""

import json
import sys
from typing import Any, Final

from pydantic import TypeAdapter

from shared.journal.envelope import SCHEMA_VERSION
from shared.lifecycle.events import EVENTS
from shared.lifecycle.instance import Instance

_TEXT: Final = {"type": "string"}
_UNPUBLISHED: Final = {"Wish"}
"""Published as a Specification."""
_REFERENCES: Final = "#/$defs/{model}"


def schema() -> dict[str, Any]:
    """`type` decides which fact is in `data.event`; `data.instance` is the same in all of them."""
    models: list[tuple[str, Any, Any]] = [
        (name, "serialization", TypeAdapter(model)) for name, model in {**EVENTS, "Instance": Instance}.items()
    ]
    references, shared = TypeAdapter.json_schemas(models, ref_template=_REFERENCES)
    of = {name: reference for (name, _), reference in references.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of Coldstart: CloudEvents 1.0 in JSON",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "dataschema", "actor", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid"},
            "source": _TEXT,
            "type": {"enum": sorted(EVENTS)},
            "subject": {"type": "string", "format": "uuid"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"type": "string", "pattern": f"^urn:coldstart:event:[A-Za-z]+:{SCHEMA_VERSION}$"},
            "actor": _TEXT,
            "causationid": {"type": "string", "format": "uuid"},
            "traceparent": _TEXT,
            "data": {
                "type": "object",
                "required": ["event", "instance"],
                "properties": {"event": {"type": "object"}, "instance": of["Instance"]},
            },
        },
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}},
                "then": {"properties": {"data": {"properties": {"event": of[name]}}}},
            }
            for name in sorted(EVENTS)
        ],
        "$defs": {name: model for name, model in shared["$defs"].items() if name not in _UNPUBLISHED},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=1, sort_keys=True) + "\n")
