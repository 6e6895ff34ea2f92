"""Snapshots of a deployment as any version wrote them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from shared.deployments.deployment import Deployment


def understood(snapshots: Iterable[Mapping[str, Any]]) -> Iterator[Deployment]:
    """Those of them that this version can read. The others have something that only a newer version knows."""
    for snapshot in snapshots:
        with suppress(ValidationError):
            yield Deployment.model_validate(snapshot)
