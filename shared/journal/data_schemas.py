"""What `dataschema` names: the JSON schema of the `data` of each event. `python -m` this FOLDER writes them as files.

In the files, an event's schema refers to the one of the instance or deployment after it. `bundled` has both in one
document, as https://json-schema.org/draft/2020-12/json-schema-core section 9.3.1 describes it.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from shared.journal.envelope import DEPLOYMENTS, INSTANCES, SCHEMA_VERSION, EventKind, dataschema
from shared.journal.event_examples import example_of

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
KINDS: Final[tuple[EventKind[Any, Any], ...]] = (INSTANCES, DEPLOYMENTS)
KIND_OF: Final[Mapping[str, EventKind[Any, Any]]] = {name: kind for kind in KINDS for name in kind.events}
"""Of what each event is."""
_EXAMPLES: Final[Mapping[str, str]] = {INSTANCES.name: "InstanceReady", DEPLOYMENTS.name: "DeploymentScaled"}
"""After which event the example of a snapshot is."""


def snapshot_id(kind: EventKind[Any, Any]) -> str:
    """Names the schema of what is after an event."""
    return f"urn:coldstart:{kind.name}:{SCHEMA_VERSION}"


def snapshot_schema(kind: EventKind[Any, Any]) -> dict[str, Any]:
    """Of an instance or a deployment, as it is in `data`."""
    example = example_of(_EXAMPLES[kind.name])["data"][kind.name]
    return {"$schema": DIALECT, "$id": snapshot_id(kind), **_of(kind.state), "examples": [example]}


def data_schema(event: str) -> dict[str, Any]:
    """Of the `data` of an event. Raises KeyError for a name that is none."""
    kind = KIND_OF[event]
    fact = {**_of(kind.events[event]), "examples": [example_of(event)["data"]["event"]]}
    definitions = fact.pop("$defs", {})
    return {
        "$schema": DIALECT,
        "$id": dataschema(event),
        "title": f"The data of {event}",
        "type": "object",
        "required": ["event", kind.name],
        "properties": {"event": fact, kind.name: {"$ref": snapshot_id(kind)}},
        **({"$defs": definitions} if definitions else {}),
    }


def bundled(event: str) -> dict[str, Any]:
    """The same with what it refers to, and a whole example. Raises KeyError for a name that is none."""
    found, kind = data_schema(event), KIND_OF[event]
    definitions = {**found.pop("$defs", {}), kind.state.__name__: snapshot_schema(kind)}
    return {**found, "examples": [example_of(event)["data"]], "$defs": definitions}


def _of(model: type[Any]) -> dict[str, Any]:
    """As it is published. A Wish is in no event: its Specification is."""
    schema = TypeAdapter(model).json_schema(mode="serialization")
    schema.get("$defs", {}).pop("Wish", None)
    return schema


def files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each file of docs/schemas, by its name."""
    for kind in KINDS:
        yield f"{kind.state.__name__}.json", snapshot_schema(kind)
        for event in kind.events:
            yield f"{event}.json", data_schema(event)


def written(schema: Mapping[str, Any]) -> str:
    """The text of such a file."""
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    kept = dict(files())
    for former in folder.glob("*.json"):
        if former.name not in kept:
            former.unlink()
    for name, schema in kept.items():
        (folder / name).write_text(written(schema))
