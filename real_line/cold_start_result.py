"""What the scene “cold start” has measured. It is recorded, and docs/cold-starts.md is drawn from the record. Pure."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict

from shared.lifecycle.critical_path import CriticalPath, Interval

RECORDED: Final = Path(__file__).with_name("recorded_cold_start.json")
WEIGHTS: Final = "weights"
PULL: Final = "image_pull"


class LoadStep(BaseModel):
    """A step of vLLM's own loading, in seconds after the order."""

    model_config = ConfigDict(frozen=True)

    name: str
    began_s: float
    seconds: float


class Launched(BaseModel):
    """One launch: `first_token_s` from the order to the first token through the router, in seconds."""

    model_config = ConfigDict(frozen=True)

    first_token_s: float
    path: CriticalPath
    loading: tuple[LoadStep, ...]

    @classmethod
    def of(cls, first_token_s: float, path: CriticalPath, rows: list[dict[str, Any]]) -> Self:
        """`rows`: the instance's timeline, oldest first."""
        ours = [row for row in rows if path.began_at <= datetime.fromisoformat(row["occurred_at"])]
        return cls(first_token_s=round(first_token_s, 3), path=path, loading=load_steps(ours, path.began_at))

    @property
    def overlap_s(self) -> float:
        """For how long the weights were fetched while the image was pulled; 0 if vLLM fetched them."""
        return sum(_overlap_s(weights, pull) for weights in self._named(WEIGHTS) for pull in self._named(PULL))

    def seconds(self, step: str) -> float:
        """Of a step or phase, over all tries."""
        return sum(interval.seconds for interval in self._named(step))

    def loading_s(self, name: str) -> float:
        return sum(step.seconds for step in self.loading if step.name == name)

    def _named(self, step: str) -> list[Interval]:
        return [interval for interval in self.path.intervals if interval.step == step]


class ColdStart(BaseModel):
    """The same model from an empty machine, in both ways, and a reinstall of the second. Rates in bytes per second."""

    model_config = ConfigDict(frozen=True)

    played: str
    vllm: str
    weights_bytes: int
    image_bytes: int
    hub_rate: int
    registry_rate: int
    by_vllm: Launched
    by_host: Launched
    reinstalled: Launched | None = None

    @property
    def reinstall_ratio(self) -> float | None:
        """From the request to ready: the reinstall by the first install."""
        return self.reinstalled.path.seconds / self.by_host.path.seconds if self.reinstalled else None


def recorded(file: Path = RECORDED) -> ColdStart:
    return ColdStart.model_validate_json(file.read_bytes())


def shown(launched: Launched) -> Iterator[str]:
    """A line for each step: its beginning after the order, its seconds, and whether the next one waited for it."""
    path = launched.path
    for interval in path.intervals:
        began = (interval.began_at - path.began_at).total_seconds()
        critical = "critical" if interval.critical else f"{interval.slack_seconds:.1f} s to spare"
        yield f"{began:7.1f} s + {interval.seconds:6.1f} s  {interval.label} ({critical})"
    for step in launched.loading:
        yield f"{step.began_s:7.1f} s + {step.seconds:6.1f} s  vLLM: {step.name}"


def load_steps(rows: list[dict[str, Any]], began: datetime) -> tuple[LoadStep, ...]:
    """Of a timeline, oldest first: each step of loading, until the next event that is not of the same one."""
    found: list[LoadStep] = []
    moments = [(_stage(row), (datetime.fromisoformat(row["occurred_at"]) - began).total_seconds()) for row in rows]
    for (name, at), (_, until) in pairwise(moments):
        if name is None:
            continue
        if found and found[-1].name == name:
            found[-1] = LoadStep(name=name, began_s=found[-1].began_s, seconds=until - found[-1].began_s)
        else:
            found.append(LoadStep(name=name, began_s=at, seconds=until - at))
    return tuple(found)


def _stage(row: dict[str, Any]) -> str | None:
    return str(row["data"]["stage"]) if row["type"] == "ModelLoadProgressed" else None


def _overlap_s(one: Interval, other: Interval) -> float:
    began, ends = max(one.began_at, other.began_at), [end for end in (one.ended_at, other.ended_at) if end]
    return max((min(ends) - began).total_seconds(), 0.0) if ends else 0.0
