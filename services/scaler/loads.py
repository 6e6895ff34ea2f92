"""What is known of the load of the deployments that this process holds."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, NoReturn, Protocol
from uuid import UUID

from nats.aio.msg import Msg

from services.scaler.load_history import LoadHistory
from services.scaler.past import Past
from services.scaler.slots import Slot, SlotFigures, Slots
from shared.clock import CLOCK
from shared.deployments.forecast import TREND_S, periods
from shared.deployments.load import Demand, Lead, Sample
from shared.deployments.wish import Scaling
from shared.load_heard import HeardLoad
from shared.load_samples import SamplePeriod, Samples

EVERY_S: Final = 1.0
NOTHING: Final = SlotFigures()


class LoadListener(Protocol):
    """`ready`: how many replicas of its deployment are."""

    @property
    def ready(self) -> int: ...

    def heard(self, load: float) -> None:
        """Takes the requests in flight and held: each second while there are any, at their end, and at a first one."""


class Loads:
    """Adds up once a second what was heard, and tells each listener of its deployment's load."""

    def __init__(self, history: LoadHistory, past: Past) -> None:
        self._heard = HeardLoad(on_held=self._on_held)
        self._samples = Samples(EVERY_S)
        self._history, self._past = history, past
        self._slots = Slots()
        self._loaded: frozenset[UUID] = frozenset()
        self._listeners: dict[UUID, LoadListener] = {}

    async def on_message(self, message: Msg) -> None:
        """The callback of a plain subscription to the reports of the apis."""
        self.hear(message.data)

    def hear(self, report: bytes) -> None:
        self._heard.hear(report)

    @contextmanager
    def listening(self, deployment_id: UUID, listener: LoadListener) -> Iterator[None]:
        """Tell it the load while the block runs."""
        self._listeners[deployment_id] = listener
        self._history.read(deployment_id)
        try:
            yield
        finally:
            if self._listeners.get(deployment_id) is listener:
                del self._listeners[deployment_id]
                self._history.forget(deployment_id)

    def lead(self, deployment_id: UUID) -> Lead:
        return self._heard.of(deployment_id).lead or Lead()

    def demand(self, deployment_id: UUID, scaling: Scaling, lead: Lead, now: datetime) -> Demand:
        """With as many samples as the scaling looks back."""
        heard = self._heard.of(deployment_id)
        seconds = max(TREND_S, scaling.scale_down_after, scaling.scale_to_zero_after or 0)
        return Demand(
            known=self._heard.known,
            in_flight=heard.in_flight,
            held=heard.held,
            arriving_per_s=heard.arriving_per_s,
            recent=self._samples.recent(deployment_id, seconds),
            history=tuple(self._history_of(deployment_id, lead, now)),
        )

    async def run(self) -> NoReturn:
        """The owner cancels it."""
        while True:
            self.tick(CLOCK.now())
            await asyncio.sleep(EVERY_S)

    def tick(self, now: datetime) -> None:
        loads = {deployment_id: load for deployment_id in self._listeners if (load := self._load(deployment_id))}
        ended = self._samples.add(now, loads if self._heard.known else None, self._heard.arriving())
        for deployment_id in {*loads, *self._loaded} & self._listeners.keys():
            self._listeners[deployment_id].heard(loads.get(deployment_id, 0.0))
        self._loaded = frozenset(loads)
        if ended is not None:
            self._keep(self._slots.add(ended.at, self._figures(ended)))

    def _figures(self, ended: SamplePeriod) -> dict[UUID, SlotFigures]:
        """Of those that have something to tell."""
        found = {}
        for deployment_id, listener in self._listeners.items():
            sample, heard, ready = ended.of(deployment_id), self._heard.of(deployment_id), listener.ready
            figures = SlotFigures(
                sample.mean, sample.peak, heard.in_flight, heard.held, heard.refused_per_s, heard.arriving_per_s, ready
            )
            if figures != NOTHING:
                found[deployment_id] = figures
        return found

    def _keep(self, finished: list[tuple[UUID, Slot]]) -> None:
        for deployment_id, slot in finished:
            self._past.put(deployment_id, [Sample(at=slot.at, mean=slot.figures.mean, peak=slot.figures.peak)])
        if finished:
            self._history.write(finished)

    def _load(self, deployment_id: UUID) -> float:
        heard = self._heard.of(deployment_id)
        return heard.in_flight + heard.held

    def _on_held(self, deployment_id: UUID) -> None:
        if listener := self._listeners.get(deployment_id):
            listener.heard(self._load(deployment_id))

    def _history_of(self, deployment_id: UUID, lead: Lead, now: datetime) -> Iterator[Sample]:
        for begin, end in periods(lead, now):
            yield from self._past.between(deployment_id, begin, end)
