"""The probes of a machine, and their possible outcomes. Each probe has its own time-out."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol, TypeAlias, assert_never

from services.health.worker_http import Line
from services.health.worker_load import WorkerLoad
from shared.lifecycle.wish import Task
from shared.vllm_version import VllmVersion
from shared.worker_tls import WorkerTls


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
    """One attempt's worker; the key and the certificates belong to that attempt."""

    address: str
    model: str
    task: Task
    api_key: str = field(repr=False)
    tls: WorkerTls | None = field(default=None, repr=False)
    """None: it speaks plain HTTP."""
    line: Line | None = field(default=None, repr=False, compare=False)
    """None: each probe has its own connection."""


@dataclass(frozen=True)
class Passed:
    pass


@dataclass(frozen=True)
class ModelListed(Passed):
    """The model is in the list. `max_model_len`: its longest context in tokens, None if no valid number says so."""

    max_model_len: int | None = None


@dataclass(frozen=True)
class WarmedUp(Passed):
    """It gave one token, or one embedding. `vllm_version`: which vLLM it says it is, None if it does not say."""

    vllm_version: VllmVersion | None = None


@dataclass(frozen=True)
class Running:
    """The number of requests running or waiting; `served` counts finished ones, None if unknown.

    `produced` counts all that moves while an engine works: tokens read, tokens made, requests finished.
    None if unknown.
    """

    requests: int
    served: float | None = None
    produced: float | None = None
    load: WorkerLoad | None = field(default=None, compare=False)
    """The same and more, for metrics: nothing is concluded from it."""


@dataclass(frozen=True)
class Refused:
    """Nothing listens on the port. Normal while vLLM starts, which opens it last."""


@dataclass(frozen=True)
class OldWorker:
    """Another attempt's worker answered: it has another certificate, or another key and says 401."""


@dataclass(frozen=True)
class Failed:
    """Any other failure; `reason` is for people and never contains what the worker sent.

    `silent`: nothing came back, so it may as well be this process or the network.
    """

    reason: str
    silent: bool = False


Outcome: TypeAlias = Passed | Running | Refused | OldWorker | Failed


class Prober(Protocol):
    async def probe(self, probe: Probe, target: Target) -> Outcome:
        """Probe once. Never raises, whatever the machine does; always returns within the probe's time-out."""


def in_words(probe: Probe, outcome: Outcome) -> str:
    """A phrase for people, e.g. `GET /health: connection refused`."""
    return f"{QUESTIONS[probe]}: {_answer(outcome)}"


def kind_of(outcome: Outcome) -> str:
    """One word of a few, for counting."""
    match outcome:
        case Passed() | Running():
            return "passed"
        case Refused():
            return "refused"
        case OldWorker():
            return "old_worker"
        case Failed(silent=silent):
            return "silent" if silent else "failed"
        case _:
            assert_never(outcome)


def _answer(outcome: Outcome) -> str:
    match outcome:
        case Passed():
            return "as it should be"
        case Running(requests=requests):
            return f"{requests} requests running or waiting"
        case Refused():
            return "connection refused"
        case OldWorker():
            return "the worker of an earlier attempt answered"
        case Failed(reason=reason):
            return reason
        case _:
            assert_never(outcome)
