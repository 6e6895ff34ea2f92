"""How well a policy would have scaled: a day of requests is played against it. Pure and seeded."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from pydantic import BaseModel, ConfigDict

from shared.deployments.traces import DAY_S, Trace

STEP_S: Final = 2
CAPACITY: Final = 16
"""Requests that run on a replica at once; others wait."""
MOST_REPLICAS: Final = 20
HOLD_S: Final = 600
"""A request that has waited for so long is refused."""


class Outcome(BaseModel):
    """What a policy made of a trace. Waits are in seconds, of all requests, also of those that were refused."""

    model_config = ConfigDict(frozen=True)
    trace: str
    policy: str
    gpu_hours: float
    requests: int
    waited: int
    refused: int
    p50_s: float
    p95_s: float
    p99_s: float


@dataclass(frozen=True)
class Seen:
    """What a policy sees at a step: the requests that run and wait, those that arrived in it, and its replicas."""

    step: int
    running: int
    waiting: int
    arrived: int
    ready: int
    replicas: int

    @property
    def load(self) -> int:
        return self.running + self.waiting


Policy = Callable[[Seen], int]
"""How many replicas it wants now."""


@dataclass
class _Machines:
    """A replica is paid for from its order on. The ones not ready yet go first."""

    cold_starts: Sequence[float]
    random: Random
    ready: int = 0
    starting: list[int] = field(default_factory=list)
    paid_steps: int = 0

    def begin_with(self, number: int) -> None:
        self.ready = number

    def advance(self, step: int) -> None:
        self.paid_steps += self.ready + len(self.starting)
        started = [at for at in self.starting if at <= step]
        self.ready += len(started)
        self.starting = [at for at in self.starting if at > step]

    def be(self, wanted: int, step: int) -> None:
        while self.ready + len(self.starting) < wanted:
            seconds = self.random.choice(self.cold_starts)
            self.starting.append(step + max(1, round(seconds / STEP_S)))
        while self.ready + len(self.starting) > wanted:
            if self.starting:
                self.starting.remove(max(self.starting))
            else:
                self.ready -= 1


def play(
    trace: Trace, name: str, policy: Policy, cold_starts: Sequence[float], *, seed: int, begin: int = 0
) -> Outcome:
    """The day of the trace; `begin` replicas are ready when it begins. `cold_starts`: seconds that launches took."""
    machines = _Machines(cold_starts, Random(f"{seed}/{name}"))  # noqa: S311 - nothing secret
    machines.begin_with(begin)
    steps = DAY_S // STEP_S
    ends = [0] * (steps + 2)
    queue: deque[tuple[int, int]] = deque()
    waits: list[float] = []
    running = refused = number = 0
    arrivals = trace.arrivals
    for step in range(steps):
        machines.advance(step)
        running -= ends[step]
        first = number
        while number < len(arrivals) and arrivals[number].at_s < (step + 1) * STEP_S:
            queue.append((step, max(1, round(arrivals[number].runs_s / STEP_S))))
            number += 1
        while queue and (step - queue[0][0]) * STEP_S >= HOLD_S:
            waits.append(HOLD_S)
            queue.popleft()
            refused += 1
        while queue and running < machines.ready * CAPACITY:
            came, lasts = queue.popleft()
            waits.append((step - came) * STEP_S)
            running += 1
            ends[min(step + lasts, steps + 1)] += 1
        seen = Seen(step, running, len(queue), number - first, machines.ready, machines.ready + len(machines.starting))
        machines.be(min(policy(seen), MOST_REPLICAS), step)
    waits += [(steps - came) * STEP_S for came, _ in queue]
    return _outcome(trace.name, name, machines.paid_steps, waits, refused)


def _outcome(trace: str, policy: str, paid_steps: int, waits: list[float], refused: int) -> Outcome:
    waits.sort()

    def share(of: float) -> float:
        return waits[min(len(waits) - 1, int(of * len(waits)))] if waits else 0.0

    return Outcome(
        trace=trace,
        policy=policy,
        gpu_hours=paid_steps * STEP_S / 3600,
        requests=len(waits),
        waited=sum(wait > 0 for wait in waits),
        refused=refused,
        p50_s=share(0.5),
        p95_s=share(0.95),
        p99_s=share(0.99),
    )
