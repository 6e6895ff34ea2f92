"""What the version wrote that kept a wish and what was found out in one type, as it stood in its stream and tables.

Every line of `stream.jsonl.gz` is a message: its subject, headers and body. Seven instances went through all types of
events there were. `read_model.jsonl.gz` has the rows that were projected from them.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent


def stream() -> list[dict[str, Any]]:
    return list(_lines("stream"))


def rows(table: str) -> list[dict[str, Any]]:
    return [line["row"] for line in _lines("read_model") if line["table"] == table]


def event_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((HERE / "events-schema.json").read_text())
    return schema


def of_version_1(body: dict[str, Any]) -> dict[str, Any]:
    """An event of today as that version would have written it."""
    former = {**body, "dataschema": f"{body['dataschema'].rpartition(':')[0]}:1"}
    former["data"] = {
        name: {field: value for field, value in part.items() if field != "findings"}
        for name, part in body["data"].items()
    }
    return former


def _lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(HERE / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)
