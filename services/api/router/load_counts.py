"""What this process counts of the load of deployments. A request that is answered at once costs one addition."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from services.api.deployments.table import DeploymentTable
from shared.deployments.deployment import Deployment

CALL_S: Final = 10.0
"""How long a request that does not wait counts as a held one, so that it wakes its deployment, too."""
UNHEARD_S: Final = 60.0
"""How long it does so while the deployment wants no replica: the scaler may be away."""


class Hold:
    """One held request. It counts for one deployment at a time; `last` is the last one for which it has."""

    def __init__(self, counts: "LoadCounts") -> None:
        self._counts = counts
        self._current: UUID | None = None
        self.last: UUID | None = None

    def on(self, deployment_id: UUID | None) -> None:
        """From now on it counts for this one, or for none."""
        if deployment_id != self._current:
            self._counts.moved(self._current, deployment_id)
            self._current = deployment_id
        self.last = deployment_id or self.last


class LoadCounts:
    """`urgent` is set when the first request begins to wait for a deployment. `clock` is in seconds.

    `answered` counts requests by the instance that has answered, since somebody last emptied it.
    """

    def __init__(self, deployments: DeploymentTable, clock: Callable[[], float] = time.monotonic) -> None:
        self.deployments = deployments
        self._clock = clock
        self._held: Counter[UUID] = Counter()
        self._calls: dict[UUID, float] = {}
        self.answered: Counter[UUID] = Counter()
        self.refused: Counter[UUID] = Counter()
        self.urgent = asyncio.Event()

    @contextmanager
    def holding(self) -> Generator[Hold]:
        """A request is held while the block lasts."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            hold.on(None)

    def call(self, deployment_id: UUID) -> None:
        """A request wants this deployment awake, and does not wait for it."""
        if not self._held[deployment_id] and deployment_id not in self._calls:
            self.urgent.set()
        self._calls[deployment_id] = self._clock()

    def held(self, deployment_id: UUID) -> int:
        return self._held[deployment_id]

    def is_called(self, deployment: Deployment) -> bool:
        """Whether a request has called it lately."""
        called_at = self._calls.get(deployment.id)
        if called_at is None:
            return False
        if self._clock() - called_at <= (CALL_S if deployment.wanted else UNHEARD_S):
            return True
        del self._calls[deployment.id]
        return False

    def moved(self, former: UUID | None, current: UUID | None) -> None:
        """A held request counts for another deployment now."""
        if former is not None:
            self._held[former] -= 1
            if not self._held[former]:
                del self._held[former]
        if current is not None:
            if not self._held[current]:
                self.urgent.set()
            self._held[current] += 1
