"""How many replicas are wanted, by the load, what is expected, and the bounds."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from math import ceil
from typing import Final

from shared.deployments.deployment import DeploymentStatus
from shared.deployments.events import DeploymentScaled, ScalingFigures, ScalingReason
from shared.deployments.forecast import Capacity, Outlook, covered, outlook, recurring, since
from shared.deployments.situation import Situation
from shared.deployments.wish import MOST_REPLICAS
from shared.deployments.words import counted
from shared.lifecycle.status import Status

_ROUNDING: Final = 1e-9
_FROM_MINUTES: Final = 120
"""Longer times are told in minutes."""


@dataclass(frozen=True)
class Desired:
    """So many replicas are wanted, for this reason; `message` says it in words."""

    replicas: int
    reason: ScalingReason
    message: str
    figures: ScalingFigures


def scaled(situation: Situation) -> DeploymentScaled | None:
    """None if as many are wanted as before."""
    before, wanted = situation.deployment.wanted, desired(situation)
    if wanted.replicas == before:
        return None
    return situation.conclude(
        DeploymentScaled,
        before=before,
        after=wanted.replicas,
        reason=wanted.reason,
        message=wanted.message,
        figures=wanted.figures,
    )


def desired(situation: Situation) -> Desired:
    """Up at once; down only if what is known of the whole window allows it."""
    need = _Need(situation)
    replicas, reason, message = _decided(situation, need)
    limits = situation.limits
    figures = ScalingFigures(
        load=need.load,
        expected=need.expected,
        lead_seconds=situation.lead.p50_s,
        per_replica=need.per_replica,
        min_replicas=limits.min_replicas,
        max_replicas=limits.max_replicas,
    )
    return Desired(replicas, reason, message, figures)


def _decided(situation: Situation, need: "_Need") -> tuple[int, ScalingReason, str]:
    deployment, before = situation.deployment, situation.deployment.wanted
    if deployment.status is not DeploymentStatus.ACTIVE:
        why: ScalingReason = "deleted" if deployment.status is DeploymentStatus.DELETED else "paused"
        return 0, why, f"The deployment is {why}."
    low = situation.limits.min_replicas
    high = max(low, situation.limits.max_replicas)
    wanted = min(max(need.now, need.expected_replicas, low), high)
    if wanted > before:
        return wanted, *_why_more(need, before, wanted, low)
    if before > high:
        return high, "bounds", f"At most {counted(high, 'replica')} may be there."
    if before > wanted and situation.demand.known:
        if wanted == 0 and need.idle_for is not None:
            return 0, "idle", f"No request for {_spoken(need.idle_for)}."
        least = max(wanted, need.kept or 1)
        if need.kept is not None and least < before:
            return least, "quiet", need.why_enough(least)
    return before, "load", need.in_words(before) if wanted == before else need.why_not_fewer(wanted)


def _why_more(need: "_Need", before: int, wanted: int, low: int) -> tuple[ScalingReason, str]:
    if max(need.now, need.expected_replicas) <= low:
        return "bounds", f"At least {counted(low, 'replica')} should be there."
    if before == 0 and need.load:
        return "woken", f"{counted(round(need.load), 'request')} came while there was no replica."
    if need.now > before:
        return "load", need.in_words(wanted)
    when = _spoken(need.situation.lead.p50_s)
    by = "as on other days at that time" if need.outlook.usual > need.outlook.trend else "as it rises now"
    rise = f"{need.expected:.0f} requests at once are expected in {when}, {by}"
    return "forecast", f"{rise}: {counted(wanted, 'replica')}."


class _Need:
    """How many replicas the load needs: now, by what is expected, and by what is known of the time before."""

    def __init__(self, situation: Situation) -> None:
        demand, scaling = situation.demand, situation.deployment.wish.scaling
        self.situation = situation
        self.per_replica = scaling.target_in_flight
        self.load = demand.in_flight + demand.held

    @cached_property
    def outlook(self) -> Outlook:
        situation = self.situation
        capacity, begun = Capacity(situation.ready, self.per_replica), situation.deployment.created_at
        return outlook(situation.demand, situation.lead, capacity, begun, situation.now)

    @property
    def now(self) -> int:
        """At least one if there is any request."""
        return max(self._replicas(self.outlook.running), int(self.load > 0))

    @property
    def expected(self) -> float:
        return max(self.outlook.trend, self.outlook.usual)

    @property
    def expected_replicas(self) -> int:
        """What is less than half of what one replica takes wakes none."""
        few = self.expected < self.per_replica / 2 and not self.load
        return 0 if few else self._replicas(self.expected)

    @cached_property
    def kept(self) -> int | None:
        """How many would have been enough, for the window and for what comes back again and again. None: not known."""
        now, window = self.situation.now, self.situation.deployment.wish.scaling.scale_down_after
        begin = now - timedelta(seconds=window)
        samples = since(self.situation.demand.recent, begin)
        if not covered(samples, begin, now):
            return None
        was = max([self.load, *(sample.mean for sample in samples)])
        enough = max(1, self._replicas(was))
        gap = timedelta(seconds=self.situation.lead.p50_s)
        while enough < self.situation.deployment.wanted and recurring(
            self.situation.demand.history, enough * self.per_replica, gap, now
        ):
            enough += 1
        return enough

    @property
    def idle_for(self) -> float | None:
        """For how many seconds no request came, if that is long enough to have no replica."""
        after, demand = self.situation.deployment.wish.scaling.scale_to_zero_after, self.situation.demand
        if after is None or self.load or not self._had_its_chance(after):
            return None
        begin = self.situation.now - timedelta(seconds=after)
        samples = since(demand.recent, begin)
        idle = covered(samples, begin, self.situation.now) and not any(sample.peak for sample in samples)
        return after if idle else None

    def _had_its_chance(self, after: float) -> bool:
        """Something was ready for as long as idleness takes, or nothing became ready in the time of a launch.

        Whoever woke it without waiting was told to come back by then, and would wake it again and again.
        """
        now, instances = self.situation.now, map(self.situation.instance, self.situation.staying)
        began = [each.ready_at for each in instances if each and each.ready_at and each.status is Status.READY]
        if began:
            return (now - min(began)).total_seconds() >= after
        ordered_at = self.situation.deployment.scaled_at
        return ordered_at is None or (now - ordered_at).total_seconds() >= self.situation.lead.p90_s

    @property
    def lately(self) -> str:
        return f"{counted(round(self.outlook.lately), 'request')} at once lately"

    def in_words(self, replicas: int) -> str:
        each = f"{self.per_replica:g} per replica"
        enough = counted(replicas, "replica")
        if self._replicas(self.outlook.lately) <= replicas:
            return f"{self.lately}, at {each}: {enough}."
        if replicas >= self.situation.limits.max_replicas:
            return f"{self.lately}, at {each}. At most {enough} may be there."
        return f"{self.lately}, some of them queued, at {each}: {enough}."

    def why_enough(self, replicas: int) -> str:
        window = _spoken(self.situation.deployment.wish.scaling.scale_down_after)
        enough = counted(replicas, "replica")
        return f"For {window}, {enough} would have been enough, at {self.per_replica:g} requests each."

    def why_not_fewer(self, wanted: int) -> str:
        scaling = self.situation.deployment.wish.scaling
        if not self.situation.demand.known:
            return "Nobody tells its load now, and no replica goes before it is known."
        if wanted == 0 and self.situation.deployment.wanted == 1:
            after = scaling.scale_to_zero_after
            when = "stays" if after is None else f"goes after {_spoken(after)} without a request"
            return f"{self.lately}. The last replica {when}."
        enough = f"{max(wanted, 1)} would do. More are kept until fewer have been enough for"
        return f"{self.lately}: {enough} {_spoken(scaling.scale_down_after)}, and while such a load comes back often."

    def _replicas(self, load: float) -> int:
        return ceil(min(load / self.per_replica, MOST_REPLICAS) - _ROUNDING)


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _FROM_MINUTES else f"{seconds / 60:.0f} min"
