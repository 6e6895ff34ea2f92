"""What the scaler is compared with in a back-test: a fixed number, a reactive policy, and one that knows the future."""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import ceil, floor
from typing import Final
from uuid import UUID

from shared.deployments.backtest import CAPACITY, MOST_REPLICAS, STEP_S, Outcome, Policy, Seen, play
from shared.deployments.deployment import Replica
from shared.deployments.desired import desired
from shared.deployments.events import DeploymentCreated
from shared.deployments.fold import begin
from shared.deployments.load import SAMPLE_S, SLOT_S, Demand, Lead, Sample
from shared.deployments.situation import Situation
from shared.deployments.traces import DAY_S, Trace
from shared.deployments.wish import DeploymentWish, Scaling, Template
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.fold import begin as begin_instance
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from shared.lifecycle.wish import Wish

UTILISATION: Final = 0.7
"""Of a replica's capacity, which policies aim for: Knative's default."""
_BLOCK: Final = round(SAMPLE_S / STEP_S)
_SHARES: Final = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
_ANY_DAY: Final = datetime(2026, 1, 14, tzinfo=UTC)


def fixed(number: int) -> Policy:
    return lambda _: number


class Knative:
    """Its autoscaler with its defaults, by knative.dev/docs/serving/autoscaling: KServe uses the same.

    Windows of 60 s and, in panic, 6 s; panic at twice what is ready can take; up at most a thousandfold at once, down
    at most by half; to zero 30 s after nothing came for a window.
    """

    STABLE_S: Final = 60
    PANIC_S: Final = 6
    PANIC_AT: Final = 2.0
    MOST_UP: Final = 1000
    MOST_DOWN: Final = 2
    GRACE_S: Final = 30

    def __init__(self) -> None:
        self._loads: deque[int] = deque(maxlen=round(self.STABLE_S / STEP_S))
        self._panicked_at: int | None = None
        self._most_in_panic = 0
        self._idle_since: int | None = None

    def __call__(self, seen: Seen) -> int:
        self._loads.append(seen.load)
        target, ready = UTILISATION * CAPACITY, max(1, seen.ready)
        stable = sum(self._loads) / len(self._loads)
        lately = list(islice(reversed(self._loads), round(self.PANIC_S / STEP_S)))
        panic = sum(lately) / len(lately)
        most, least = self.MOST_UP * ready, floor(ready / self.MOST_DOWN)
        wanted = min(max(ceil(stable / target), least), most)
        wanted_in_panic = min(max(ceil(panic / target), least), most)
        if wanted_in_panic / ready >= self.PANIC_AT:
            self._panicked_at = seen.step
        elif self._panicked_at is not None and (seen.step - self._panicked_at) * STEP_S > self.STABLE_S:
            self._panicked_at, self._most_in_panic = None, 0
        if self._panicked_at is not None:
            self._most_in_panic = max(self._most_in_panic, wanted_in_panic, wanted, seen.ready)
            wanted = self._most_in_panic
        return self._unless_idle(wanted, stable, seen)

    def _unless_idle(self, wanted: int, stable: float, seen: Seen) -> int:
        if stable > 0:
            self._idle_since = None
            return max(1, wanted)
        self._idle_since = self._idle_since if self._idle_since is not None else seen.step
        grace_over = (seen.step - self._idle_since) * STEP_S >= self.GRACE_S
        return 0 if grace_over or not seen.replicas else max(1, wanted)


class Oracle:
    """It knows every arrival: what it orders is ready when needed, and goes unless needed again within a launch.

    `share` of what runs at once has room; below 1, some requests wait.
    """

    def __init__(self, trace: Trace, lead_s: float, share: float) -> None:
        runs = [0] * (DAY_S // STEP_S + 1)
        for arrival in trace.arrivals:
            start = int(arrival.at_s / STEP_S)
            runs[min(start, len(runs) - 1)] += 1
            runs[min(start + max(1, round(arrival.runs_s / STEP_S)), len(runs) - 1)] -= 1
        loads, load = [], 0
        for change in runs:
            load += change
            loads.append(load)
        needs = [ceil(share * max(loads[at : at + _BLOCK]) / CAPACITY) for at in range(0, len(loads), _BLOCK)]
        ahead = ceil(lead_s / SAMPLE_S) + 1
        self._wanted = [max(needs[at : at + ahead]) for at in range(len(needs))]

    def __call__(self, seen: Seen) -> int:
        return self._wanted[seen.step // _BLOCK]


class Coldstart:
    """The scaler's own decisions, with what the apis would have told it."""

    def __init__(self, trace: Trace, lead: Lead) -> None:
        scaling = Scaling(max_replicas=MOST_REPLICAS, target_in_flight=CAPACITY)
        wish = DeploymentWish(name="played", template=Template(model="org/model"), scaling=scaling)
        first = _ANY_DAY - timedelta(seconds=SLOT_S * len(trace.past))
        created = DeploymentCreated(deployment_id=UUID(int=0), occurred_at=first, wish=wish, revision=1)
        self._deployment = begin(created)
        self._replicas = [_ready_replica(number) for number in range(MOST_REPLICAS)]
        self._lead = lead
        self._history = [
            Sample(at=first + timedelta(seconds=SLOT_S * slot), mean=load, peak=load)
            for slot, load in enumerate(trace.past)
        ]
        self._recent: deque[Sample] = deque(maxlen=round(1800 / SAMPLE_S))
        self._loads: list[int] = []
        self._arrived = 0
        self._slot: list[float] = []

    def __call__(self, seen: Seen) -> int:
        self._loads.append(seen.load)
        self._arrived += seen.arrived
        wakes = seen.load and not self._deployment.wanted
        if seen.step % _BLOCK != _BLOCK - 1 and not wakes:
            return self._deployment.wanted
        now = _ANY_DAY + timedelta(seconds=(seen.step + 1) * STEP_S)
        if seen.step % _BLOCK == _BLOCK - 1:
            self._keep(now)
        in_flight, held = (seen.load, 0) if seen.ready else (0, seen.load)
        demand = Demand(
            known=True,
            in_flight=in_flight,
            held=held,
            arriving_per_s=seen.arrived / STEP_S,
            recent=tuple(self._recent),
            history=tuple(self._history),
        )
        ready = self._replicas[: seen.ready]
        deployment = self._deployment.model_copy(update={"replicas": tuple(replica for replica, _ in ready)})
        instances = {instance.id: instance for _, instance in ready}
        wanted = desired(Situation(deployment, instances, demand, self._lead, (), now)).replicas
        if wanted != self._deployment.wanted:
            self._deployment = self._deployment.model_copy(update={"wanted": wanted, "scaled_at": now})
        return wanted

    def _keep(self, now: datetime) -> None:
        mean, peak = sum(self._loads) / len(self._loads), max(self._loads)
        begun, arriving = now - timedelta(seconds=SAMPLE_S), self._arrived / SAMPLE_S
        self._recent.append(Sample(at=begun, mean=mean, peak=peak, arriving=arriving))
        self._loads, self._arrived = [], 0
        self._slot.append(mean)
        if len(self._slot) * SAMPLE_S == SLOT_S:
            at = now - timedelta(seconds=SLOT_S)
            self._history.append(Sample(at=at, mean=sum(self._slot) / len(self._slot), peak=max(self._slot)))
            self._slot = []


def _ready_replica(number: int) -> tuple[Replica, Instance]:
    made = Replica(ordinal=number, revision=1, generation=1, instance_id=UUID(int=number))
    requested = InstanceRequested(
        instance_id=made.instance_id, occurred_at=_ANY_DAY, specification=Wish(name="played", model="org/model")
    )
    return made, begin_instance(requested).model_copy(update={"status": Status.READY})


def lead_of(cold_starts: Sequence[float]) -> Lead:
    ordered = sorted(cold_starts)
    return Lead(p50_s=ordered[len(ordered) // 2], p90_s=ordered[len(ordered) * 9 // 10])


def compared(trace: Trace, cold_starts: Sequence[float], seed: int) -> tuple[Outcome, ...]:
    """A fixed number, for as many GPU-hours as Knative; Knative; an oracle that makes nobody wait longer; the scaler.

    `cold_starts`: seconds that launches took, at least one. One replica is ready when the day begins.
    """

    def played(name: str, policy: Policy, starts: Sequence[float] = cold_starts) -> Outcome:
        return play(trace, name, policy, starts, seed=seed, begin=1)

    ours = played("coldstart", Coldstart(trace, lead_of(cold_starts)))
    reactive = played("knative", Knative())
    number = max(1, round(reactive.gpu_hours / 24))
    lead = sum(cold_starts) / len(cold_starts)
    oracles = [played("oracle", Oracle(trace, lead, share), [lead]) for share in _SHARES]
    as_good = [oracle for oracle in oracles if oracle.p95_s <= ours.p95_s] or oracles[:1]
    cheapest = min(as_good, key=lambda oracle: oracle.gpu_hours)
    return played(f"fixed {number}", fixed(number)), reactive, cheapest, ours
