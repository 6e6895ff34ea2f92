"""Snapshots of an instance as any version wrote them. A row carries no version, so its shape tells."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Findings

_FOUND = Findings.model_fields.keys()


def read_snapshot(snapshot: Mapping[str, Any]) -> Instance:
    """Raises ValidationError."""
    return Instance.model_validate(with_findings(snapshot))


def understood(snapshots: Iterable[Mapping[str, Any]]) -> Iterator[Instance]:
    """Those of them that this version can read. The others have something that only a newer version knows."""
    for snapshot in snapshots:
        with suppress(ValidationError):
            yield read_snapshot(snapshot)


def with_findings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The same with its findings. Version 1 had them in the specification, and no warnings."""
    if "findings" in asked or not isinstance(specification := asked.get("specification"), Mapping):
        return dict(asked)
    return {**asked, "findings": {name: specification[name] for name in _FOUND & specification.keys()}}
