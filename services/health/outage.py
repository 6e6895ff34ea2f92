"""Whether most workers fell silent at once: then this process or its network is the likelier cause. Pure.

A worker that answers is no part of it, whatever it says: a refused connection, a 503 or a wrong certificate shows that
this process and the network work.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

from services.health.settings import HealthSettings


@dataclass
class Outage:
    """Times are in seconds of one clock.

    It begins when the workers that fell silent within `outage_seconds` are at least `outage_workers`, and at least the
    part `outage_share` of all those and of the ones that still answer. It ends when half of them answer again, or are
    no longer watched; `until` is some time later, so that each worker is looked at before anything is concluded.
    """

    settings: HealthSettings
    _answering: set[Hashable] = field(default_factory=set)
    _silent: dict[Hashable, float] = field(default_factory=dict)
    _struck: set[Hashable] = field(default_factory=set)
    _at_first: int = 0
    _until: float | None = None

    def answered(self, worker: Hashable, at: float) -> None:
        self._silent.pop(worker, None)
        self._answering.add(worker)
        self._recovered(worker, at)

    def silent(self, worker: Hashable, at: float) -> None:
        self._answering.discard(worker)
        self._silent.setdefault(worker, at)
        if self._struck:
            return
        fallen = {each for each, since in self._silent.items() if since >= at - self.settings.outage_seconds}
        everyone = len(fallen) + len(self._answering)
        if len(fallen) >= max(self.settings.outage_workers, self.settings.outage_share * everyone):
            self._struck, self._at_first = fallen, len(fallen)

    def forget(self, worker: Hashable, at: float) -> None:
        """It is no longer watched."""
        self._answering.discard(worker)
        self._silent.pop(worker, None)
        self._recovered(worker, at)

    def lasts(self, at: float) -> bool:
        """Whether silence proves nothing now."""
        return bool(self._struck) or (self._until is not None and at < self._until)

    @property
    def size(self) -> int:
        """How many workers fell silent together; 0 without an outage."""
        return self._at_first if self._struck else 0

    def _recovered(self, worker: Hashable, at: float) -> None:
        if worker not in self._struck:
            return
        self._struck.discard(worker)
        if len(self._struck) * 2 <= self._at_first:
            self._struck, self._until = set(), at + self.settings.outage_grace_seconds
