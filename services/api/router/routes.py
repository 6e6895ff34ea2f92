"""Where the routing table's instances come from: the feed, or a snapshot while the feed cannot begin."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from services.api.feed.followers import DeploymentFollower, Follower
from services.api.router.snapshot import RouterSnapshot
from shared.clock import CLOCK


class Routes(Protocol):
    @property
    def age(self) -> float:
        """Seconds since they were certainly known."""

    def is_stale(self) -> bool:
        """Whether they are too old to be used."""

    def follow(self, follower: Follower) -> None:
        """Give it the instances, and every change from then on."""

    def follow_deployments(self, follower: DeploymentFollower) -> None:
        """Give it the deployments, and every change from then on."""


class KeptRoutes:
    """The routes of a snapshot, which do not change."""

    def __init__(
        self,
        snapshot: RouterSnapshot,
        max_age: timedelta,
        now: Callable[[], datetime] = CLOCK.now,
    ) -> None:
        self._snapshot = snapshot
        self._max_age = max_age
        self._now = now

    @property
    def age(self) -> float:
        return self._snapshot.age(self._now()).total_seconds()

    def is_stale(self) -> bool:
        return self.age > self._max_age.total_seconds()

    def follow(self, follower: Follower) -> None:
        follower.replace(self._snapshot.instances)

    def follow_deployments(self, follower: DeploymentFollower) -> None:
        """None is kept, since none could wake."""
        follower.replace(())
