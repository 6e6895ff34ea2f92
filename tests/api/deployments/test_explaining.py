"""The explanation of a deployment knows what this process has heard, and for how long."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from services.api.deployments.explaining import ScalingExplained
from services.api.deployments.recent_load import RecentLoad
from services.api.deployments.repository import LoadSlot
from shared.deployments.deployment import Deployment
from shared.deployments.load import Lead
from shared.deployments.wish import Template
from shared.load import LoadReport
from shared.load_heard import HeardLoad
from tests.deployments.examples import AT, LEAD, a_deployment

API = UUID(int=1)


@dataclass
class Kept:
    found: list[LoadSlot] = field(default_factory=list)

    async def slots(self, deployment_id: UUID, *, since: datetime) -> list[LoadSlot]:
        del deployment_id
        return [slot for slot in self.found if slot.at >= since]

    def hours(self, before: datetime, hours: int, mean: float = 0.0) -> None:
        """A slot for each five minutes of them."""
        for number in range(-12 * hours, 0):
            at = before + number * timedelta(minutes=5)
            slot = {"in_flight": 0, "held": 0, "arriving_per_s": 0, "refused_per_s": 0, "ready": 1}
            self.found.append(LoadSlot(at=at, mean=mean, peak=mean, **slot))


class SomeLead:
    def lead(self, template: Template) -> Lead:
        del template
        return LEAD


class Hearing:
    """Time goes on by `quiet` alone."""

    def __init__(self) -> None:
        self.at = AT
        self.heard = HeardLoad(clock=self._clock)
        self.recent = RecentLoad(self.heard)
        self.kept = Kept()
        self.explained = ScalingExplained(self.kept, SomeLead(), self.heard, self.recent)

    def _clock(self) -> float:
        return self.at.timestamp()

    def quiet(self, seconds: int) -> None:
        """An api tells every second that nothing is asked."""
        for _ in range(seconds):
            self.at += timedelta(seconds=1)
            self.heard.hear(LoadReport(process=API, at=self.at, deployments={}).model_dump_json().encode())
            self.recent.add(self.at)

    async def would_be(self, deployment: Deployment) -> int:
        return (await self.explained.of(deployment, {}, self.at)).would_be


async def test_fewer_would_be_wanted_only_after_as_long_as_the_deployment_asks_for() -> None:
    hearing, three = Hearing(), a_deployment(min_replicas=1, scale_down_after=60).model_copy(update={"wanted": 3})
    assert await hearing.would_be(three) == 3
    hearing.quiet(30)
    assert await hearing.would_be(three) == 3
    hearing.quiet(60)
    assert await hearing.would_be(three) == 1


async def test_what_was_before_this_process_began_is_known_by_what_the_scaler_has_written() -> None:
    hearing = Hearing()
    three = a_deployment(min_replicas=1, scale_down_after=4 * 3_600).model_copy(update={"wanted": 3})
    hearing.quiet(60)
    assert await hearing.would_be(three) == 3
    hearing.kept.hours(AT, 5)
    assert await hearing.would_be(three) == 1
    del hearing.kept.found[30]
    assert await hearing.would_be(three) == 3, "of five minutes nothing is known"


async def test_a_load_within_the_window_counts_although_this_process_has_not_heard_it() -> None:
    hearing = Hearing()
    three = a_deployment(min_replicas=1, scale_down_after=4 * 3_600, target_in_flight=1).model_copy(
        update={"wanted": 3}
    )
    hearing.quiet(60)
    hearing.kept.hours(AT - timedelta(hours=2), 3, mean=2.0)
    hearing.kept.hours(AT, 2)
    assert await hearing.would_be(three) == 2
    hearing.kept.found.clear()
    hearing.kept.hours(AT - timedelta(hours=5), 3, mean=2.0)
    hearing.kept.hours(AT, 5)
    assert await hearing.would_be(three) == 1


async def test_who_was_told_no_lead_yet_goes_by_past_launches() -> None:
    assert Hearing().explained.lead(a_deployment()) == LEAD
