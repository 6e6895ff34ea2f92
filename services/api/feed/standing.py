"""What the read model knows, and how much of which stream it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.bus.marks import Mark
from shared.deployments.deployment import Deployment
from shared.lifecycle.instance import Instance


@dataclass(frozen=True)
class Standing:
    """`mark` is of an event up to `sequence`; `instances` and `deployments` are as of then, or empty if not asked for.

    `installation` is None as long as nothing was projected.
    """

    installation: UUID | None
    sequence: int
    mark: Mark | None = None
    instances: Sequence[Instance] = ()
    deployments: Sequence[Deployment] = ()
