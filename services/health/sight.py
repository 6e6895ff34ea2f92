"""What this process may conclude from a worker's silence: nothing, if it was late itself or if most are silent."""

import asyncio
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from services.health.outage import Outage
from services.health.settings import HealthSettings
from shared.lifecycle.status import Status
from shared.loop_lag import LoopLag

_void: Final = Counter(
    "coldstart_health_void_looks_total", "Looks without an answer that count for nothing, since health itself was late"
)
_outage: Final = Gauge(
    "coldstart_health_outage_workers", "Workers that fell silent at once and are not taken for dead; 0 without such"
)

log = structlog.get_logger()


class Sight:
    """Shared by all watches of a process."""

    def __init__(self, settings: HealthSettings, lag: LoopLag | None = None) -> None:
        self.lag = lag or LoopLag()
        self.outage = Outage(settings)
        self._tolerated_s = settings.lag_seconds
        self.void_looks = 0
        """Since the start of this process."""

    def late_s(self, began: float) -> float:
        """How late this process was since `began`, in seconds; 0 if that is tolerated."""
        late = self.lag.since(began)
        return late if late >= self._tolerated_s else 0.0

    def void(self) -> None:
        """A look counts for nothing."""
        _void.inc()
        self.void_looks += 1

    def saw(self, instance_id: UUID, status: Status, *, silent: bool) -> None:
        """What a look at an instance's worker has shown. One that is known to be away says nothing by its silence."""
        if not silent:
            self.outage.answered(instance_id, _now())
        elif status is Status.READY:
            self.outage.silent(instance_id, _now())
        self._tell()

    def forget(self, instance_id: UUID) -> None:
        self.outage.forget(instance_id, _now())
        self._tell()

    @property
    def in_doubt(self) -> bool:
        """Whether no worker may be taken for dead now because it is silent."""
        return self.outage.lasts(_now())

    def _tell(self) -> None:
        before, now = self._size, self.outage.size
        self._size = now
        if before == now:
            return
        _outage.set(now)
        if now:
            log.error(
                "most workers fell silent at once: taken for an outage of this process or its network, so none is "
                "taken for dead",
                workers=now,
            )
        else:
            log.warning("workers answer again: the outage is over", workers=before)

    _size = 0


def _now() -> float:
    return asyncio.get_running_loop().time()
