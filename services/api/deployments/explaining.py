"""What the scaler would do for a deployment now, from what this api knows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from services.api.deployments.recent_load import RecentLoad
from services.api.deployments.repository import LoadSlot
from shared.deployments.deployment import Deployment
from shared.deployments.explain import ScalingExplanation, explain
from shared.deployments.forecast import TREND_S
from shared.deployments.load import SAMPLE_S, SLOT_S, Demand, Lead, Sample
from shared.deployments.wish import Template
from shared.lifecycle.instance import Instance
from shared.load_heard import HeardLoad
from shared.schedule import bounds

_HISTORY: Final = timedelta(days=8)
"""So far back the scaler looks for any deployment."""


_SAMPLE: Final = timedelta(seconds=SAMPLE_S)
_IN_A_SLOT: Final = int(SLOT_S / SAMPLE_S)


class KeptLoad(Protocol):
    async def slots(self, deployment_id: UUID, *, since: datetime) -> list[LoadSlot]:
        """Oldest first."""


class Leads(Protocol):
    def lead(self, template: Template) -> Lead:
        """By past launches."""


class ScalingExplained:
    def __init__(self, kept: KeptLoad, leads: Leads, heard: HeardLoad, recent: RecentLoad) -> None:
        self._kept = kept
        self._leads = leads
        self._heard = heard
        self._recent = recent

    def lead(self, deployment: Deployment) -> Lead:
        """As the scaler was told it; if it was not yet, by past launches."""
        return self._heard.of(deployment.id).lead or self._leads.lead(deployment.next_template)

    async def of(self, deployment: Deployment, instances: Mapping[UUID, Instance], at: datetime) -> ScalingExplanation:
        """`instances` are those of its replicas that exist."""
        lead, heard, scaling = self.lead(deployment), self._heard.of(deployment.id), deployment.wish.scaling
        slots = await self._kept.slots(deployment.id, since=at - _HISTORY)
        window = max(TREND_S, scaling.scale_down_after, scaling.scale_to_zero_after or 0)
        demand = Demand(
            known=self._heard.known,
            in_flight=heard.in_flight,
            held=heard.held,
            arriving_per_s=heard.arriving_per_s,
            recent=_with_slots(self._recent.of(deployment.id, window), slots, at - timedelta(seconds=window), at),
            history=tuple(Sample(at=slot.at, mean=slot.mean, peak=slot.peak) for slot in slots),
        )
        return explain(deployment, instances, demand, lead, bounds(scaling, at, lead.p90_s), at)


def _with_slots(
    recent: tuple[Sample, ...], slots: Sequence[LoadSlot], begin: datetime, at: datetime
) -> tuple[Sample, ...]:
    """Before what this process has heard, what the scaler has written. A slot that is missing is a gap.

    This process may be younger than the time that the deployment looks back, and keeps an hour; the scaler a day.
    """
    heard_since = recent[0].at if recent else at
    written = (
        Sample(slot.at + number * _SAMPLE, slot.mean, slot.peak, slot.arriving_per_s)
        for slot in slots
        if slot.at + _IN_A_SLOT * _SAMPLE > begin
        for number in range(_IN_A_SLOT)
    )
    return (*(sample for sample in written if begin < sample.at + _SAMPLE and sample.at < heard_since), *recent)
