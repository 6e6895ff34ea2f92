"""Snapshots of an instance as any version wrote them. A row carries no version, so its shape tells."""

from collections.abc import Mapping
from typing import Any

from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Findings

_FOUND = Findings.model_fields.keys()


def read_snapshot(snapshot: Mapping[str, Any]) -> Instance:
    """Raises ValidationError."""
    return Instance.model_validate(with_findings(snapshot))


def with_findings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The same with its findings. Version 1 had them in the specification, and no warnings."""
    if "findings" in asked or not isinstance(specification := asked.get("specification"), Mapping):
        return dict(asked)
    return {**asked, "findings": {name: specification[name] for name in _FOUND & specification.keys()}}
