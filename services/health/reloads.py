"""Reads instances again, for all watches of a process: never many at once, and seldom while the stream fails."""

import asyncio
import random
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from services.health.settings import HealthSettings
from shared.journal.journal import Journal, JournalUnavailable
from shared.lifecycle.instance import Instance
from shared.retry import backoff_s

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 15.0

_reloads: Final = Counter("coldstart_health_reloads_total", "Instances read again, by outcome", ["outcome"])

log = structlog.get_logger()


class Reloads:
    """After a failure nobody asks the stream for a while, which grows with each further one."""

    def __init__(self, journal: Journal, settings: HealthSettings) -> None:
        self._journal = journal
        self._every_s = settings.reload_seconds
        self._slots = asyncio.Semaphore(settings.reloads_at_once)
        self._failures = 0
        self._not_before = 0.0

    def next_at(self) -> float:
        """When an instance that was read now is due again; spread, so that those read together do not stay so."""
        return _now() + self._every_s * random.uniform(0.5, 1.0)  # noqa: S311  only spreads load

    async def load(self, instance_id: UUID) -> Instance | None:
        """The instance as it is now; None if the stream gives no answer, or gave none to others a moment ago."""
        async with self._slots:
            if _now() < self._not_before:
                _reloads.labels("left out").inc()
                return None
            try:
                instance = await self._journal.load(instance_id)
            except JournalUnavailable as error:
                self._failed(error)
                return None
            self._failures = 0
            _reloads.labels("read").inc()
            return instance

    def _failed(self, error: JournalUnavailable) -> None:
        """Those that were asked together fail together, which counts once."""
        _reloads.labels("failed").inc()
        if _now() < self._not_before:
            return
        self._failures += 1
        pause_s = backoff_s(self._failures, _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._not_before = _now() + pause_s
        log.warning("instances not reloaded", reason=str(error), retry_in_s=round(pause_s, 1))


def _now() -> float:
    return asyncio.get_running_loop().time()
