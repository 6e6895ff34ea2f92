"""What a watch remembers from one look to the next. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.health.look import Chain, chains, new_worker_may_run
from services.health.probes import Failed, Outcome, Passed, Probe, Refused, Running, in_words
from services.health.worker_ends import SameEnds
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import STARTING_UP, Status


@dataclass(frozen=True)
class Memory:
    """What a watch remembers between looks. The counts belong to `status` and end with it."""

    status: Status
    passes: int = 0
    failures: int = 0
    idle_since: datetime | None = None
    served: float | None = None
    requests: int = 0
    produced: float | None = None
    counted_at: datetime | None = None
    """When the worker was asked last what it runs and produces."""
    stuck_since: datetime | None = None
    """Since when requests run, and nothing was produced."""
    last_seen: str = "nothing, it was never asked"
    silent: bool = False
    """Whether the last look at the worker got no answer at all."""
    ends: SameEnds | None = None


def remembered(memory: Memory, instance: Instance, outcomes: Mapping[Probe, Outcome], at: datetime) -> Memory:
    """The memory after one look at `instance`; `outcomes` are those of all probes sent."""
    memory = counted(memory, instance.status)
    if not outcomes:
        return memory
    running = outcomes.get(Probe.RUNNING)
    answers = _of_worker(outcomes)
    full = bool(answers) and all(isinstance(answer, Passed) for answer in answers)
    passed = full and (new_worker_may_run(instance) or instance.status not in STARTING_UP)
    return replace(
        memory,
        passes=memory.passes + 1 if passed else 0,
        failures=0 if passed else memory.failures + 1,
        idle_since=(memory.idle_since or at) if _idle(memory, running) else None,
        served=running.served if isinstance(running, Running) else memory.served,
        **_work(memory, running, at),
        silent=silent(outcomes),
        last_seen="; ".join(in_words(*_last(chain, outcomes)) for chain in _asked(instance, outcomes)),
    )


def silent(outcomes: Mapping[Probe, Outcome]) -> bool:
    """Whether the worker gave no answer to the last question."""
    return any(isinstance(answer, Failed) and answer.silent for answer in _of_worker(outcomes))


def voided(memory: Memory, instance: Instance, late_s: float) -> Memory:
    """The memory after a look that got no answer while this process itself was late: nothing is counted."""
    seen = f"nothing, since the check itself was {late_s:.1f} s late"
    return replace(counted(memory, instance.status), silent=True, last_seen=seen)


def counted(memory: Memory, status: Status) -> Memory:
    """The memory as far as it concerns `status`: all statuses of starting count as one, the others separately."""
    if memory.status is status or {memory.status, status} <= STARTING_UP:
        return replace(memory, status=status)
    return Memory(status, last_seen=memory.last_seen)


def _work(memory: Memory, running: Outcome | None, at: datetime) -> dict[str, Any]:
    """What is remembered of the engine's work. Counts that cannot be read prove nothing."""
    if running is None:
        return {}
    if not isinstance(running, Running):
        return {"counted_at": at, "stuck_since": None}
    still = running.requests > 0 and running.produced is not None and running.produced == memory.produced
    return {
        "requests": running.requests,
        "produced": running.produced,
        "counted_at": at,
        "stuck_since": (memory.stuck_since or memory.counted_at) if still else None,
    }


def _of_worker(outcomes: Mapping[Probe, Outcome]) -> Sequence[Outcome]:
    """Of the questions that show whether it serves; the first that is not passed is the last."""
    return [outcomes[probe] for probe in (Probe.HEALTH, Probe.MODELS, Probe.WARMUP) if probe in outcomes]


def _asked(instance: Instance, outcomes: Mapping[Probe, Outcome]) -> Iterator[Chain]:
    every = chains(instance, models=True, counts=Probe.RUNNING in outcomes)
    return (chain for chain in every if chain[0] in outcomes)


def _last(chain: Chain, outcomes: Mapping[Probe, Outcome]) -> tuple[Probe, Outcome]:
    probe = [probe for probe in chain if probe in outcomes][-1]
    return probe, outcomes[probe]


def _idle(memory: Memory, outcome: Outcome | None) -> bool:
    """Nothing runs, and nothing has run since the last look. A ready worker must say so itself."""
    draining = memory.status is Status.DRAINING
    match outcome:
        case Running(requests=0, served=None):
            return draining
        case Running(requests=0, served=served):
            return memory.served in (None, served)
        case Refused():
            return draining
        case _:
            return False
