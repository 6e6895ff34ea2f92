"""Reconciliation on a stage, and a clock that a test puts forward instead of waiting."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from services.provisioner.reconciliation.known import KnownInstances
from services.provisioner.reconciliation.reconcile import Reconcile
from tests.provisioner.fake_provider import FakeProvider
from tests.provisioner.stage import Stage

EVERY_LIST: Final = ["tagged_servers", "tagged_resources", "machine_images", "leftover_volumes", "foreign_servers"]
"""The calls of a reconciliation that finds nothing to do."""


class Clock:
    def __init__(self) -> None:
        self._ahead_s = 0.0

    def passes(self, seconds: float) -> None:
        self._ahead_s += seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._ahead_s)

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead_s


def a_reconcile(stage: Stage, clock: Clock | None = None, provider: FakeProvider | None = None) -> Reconcile:
    """Reconciliation in a new process, which remembers nothing of earlier ones."""
    clock = clock or Clock()
    return Reconcile(
        stage.journal,
        provider or stage.provider,
        KnownInstances(stage.connection),
        stage.settings,
        clock=clock.now,
        monotonic=clock.monotonic,
    )
