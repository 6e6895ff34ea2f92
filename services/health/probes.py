"""The questions that health asks a machine, and the answers it may get. Each question has a time-out of its own."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol, TypeAlias, assert_never

from shared.lifecycle.wish import Task


class Probe(StrEnum):
    SSH = "ssh"
    HEALTH = "health"
    MODELS = "models"
    WARMUP = "warmup"
    RUNNING = "running"


QUESTIONS: Final = {
    Probe.SSH: "the SSH port",
    Probe.HEALTH: "GET /health",
    Probe.MODELS: "GET /v1/models",
    Probe.WARMUP: "the warm-up",
    Probe.RUNNING: "GET /metrics",
}


@dataclass(frozen=True)
class Target:
    """One attempt's worker: the key is that attempt's own."""

    address: str
    model: str
    task: Task
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class Passed:
    pass


@dataclass(frozen=True)
class Running:
    """So many requests are being answered or wait for it; `served` counts those that were, None if nobody says."""

    requests: int
    served: float | None = None


@dataclass(frozen=True)
class Refused:
    """Nothing listens on the port: normal while vLLM starts, which opens it last."""


@dataclass(frozen=True)
class OldWorker:
    """401: a worker answered that was given another attempt's key."""


@dataclass(frozen=True)
class Failed:
    """Anything else; `reason` is for people and never holds what the worker sent."""

    reason: str


Outcome: TypeAlias = Passed | Running | Refused | OldWorker | Failed


class Prober(Protocol):
    async def probe(self, probe: Probe, target: Target) -> Outcome:
        """Ask once. Never raises for what a machine does; always returns within the probe's time-out."""


def in_words(probe: Probe, outcome: Outcome) -> str:
    """One clause for a person, such as `GET /health: connection refused`."""
    return f"{QUESTIONS[probe]}: {_answer(outcome)}"


def _answer(outcome: Outcome) -> str:
    match outcome:
        case Passed():
            return "as it should be"
        case Running(requests=requests):
            return f"{requests} requests running or waiting"
        case Refused():
            return "connection refused"
        case OldWorker():
            return "the worker of an earlier attempt answered (401)"
        case Failed(reason=reason):
            return reason
        case _:
            assert_never(outcome)
