"""Histories whose steps take as long as such steps do, give or take; the same for the same seed."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import exp
from random import Random
from typing import Any, Final
from uuid import UUID

from shared.lifecycle import events as e
from shared.lifecycle.events import Event
from tests.console.scenery.kinds import LOADING_S, PRICES
from tests.lifecycle import facts as f
from tests.lifecycle.facts import Facts

PHASES: Final = (
    *(
        "preflight",
        "host_key",
        "data_disk",
        "docker_install",
        "nvidia_toolkit",
        "image_pull",
        "weights",
        "worker_start",
    ),
)
STAGES: Final = ("download", "shards", "shards", "shards", "compile", "graph_capture")
NOISE: Final = 0.22


class Lives:
    """Histories whose steps take as long as such steps do, give or take."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._made = 0

    def launch(self, name: str, model: str, instance_type: str, *, zone: str = "fr-par-2", **more: Any) -> Facts:
        """To ready, its beginning at `f.AT`."""
        self._made += 1
        number = self._made
        wanted = f.a_specification(name=name, model=model, instance_types=(instance_type,), **more)
        server = {"server_id": str(UUID(int=self._random.getrandbits(128), version=4))}
        created = f.instance_created(
            zone=zone, instance_type=instance_type, hourly_price=PRICES[instance_type], **server
        )
        phases = (
            f.ssh_install_phase_reached(phase=phase, index=index, total=len(PHASES))
            for index, phase in enumerate(PHASES, start=1)
        )
        loads = (
            f.model_load_progressed(stage=stage, fraction=index / len(STAGES))
            for index, stage in enumerate(STAGES, start=1)
        )
        slow = LOADING_S[model] / len(STAGES)
        paced: tuple[tuple[Event, float], ...] = (
            (f.instance_requested(specification=wanted), 0),
            (created, 11),
            (f.volume_found(**server), 4),
            (f.volume_resized(**server), 6),
            (f.instance_started(**server), 5),
            (f.ip_assigned(ip_address=f"51.15.{number % 200}.{10 + number % 89}", **server), 9),
            (f.security_group_found(**server), 1),
            (f.ports_opened(**server), 2),
            (f.ssh_reachable(), 24),
            (f.ssh_install_started(), 2),
            *_with_weights(zip(phases, (3, 2, 5, 38, 16, 12, 160, 3), strict=True)),
            (f.ssh_install_completed(), 4),
            *((load, slow) for load in loads),
            (f.worker_reachable(), 6),
            (f.model_loaded(), 1),
            (f.warmup_completed(), 2),
            (f.health_passed(), 0.4),
            (f.instance_ready(), 0.6),
        )
        pace = self._random.gauss(0, NOISE / 2)
        return self._at(f.AT, paced, pace)

    def _at(self, start: datetime, paced: Sequence[tuple[Event, float]], pace: float) -> Facts:
        at, placed = start, []
        for event, seconds in paced:
            at += timedelta(seconds=seconds * exp(pace + self._random.gauss(0, NOISE)))
            placed.append(event.model_copy(update={"occurred_at": at}))
        return tuple(placed)


def _with_weights(paced: Iterable[tuple[Event, float]]) -> Iterator[tuple[Event, float]]:
    """The model is fetched from the moment that its disk is there, and has come long before the image."""
    for event, seconds in paced:
        match event:
            case e.SshInstallPhaseReached(phase="docker_install"):
                yield event, seconds
                yield f.weights_progressed(), 0.2
            case e.SshInstallPhaseReached(phase="weights"):
                yield f.weights_progressed(fetched_bytes=1000, files=2), seconds / 3
                yield event, 2 * seconds / 3
            case _:
                yield event, seconds


def until_now(history: Facts, now: datetime, ago: timedelta = timedelta()) -> Facts:
    """The same, moved in time so that its last fact was so long ago."""
    return from_then(history, now - ago - (history[-1].occurred_at - history[0].occurred_at))


def from_then(history: Facts, begin: datetime) -> Facts:
    moved = begin - history[0].occurred_at
    return tuple(fact.model_copy(update={"occurred_at": fact.occurred_at + moved}) for fact in history)


def ended(history: Facts, at: datetime) -> Facts:
    """Archived, a while after it was terminated: it costs no more, and is in no list."""
    server = history[1].model_dump()["server_id"]
    end: Facts = (f.termination_requested(), f.instance_terminated(server_id=server), f.instance_archived())
    moments = (at, at + timedelta(seconds=40), at + timedelta(hours=1))
    return (
        *history,
        *(one.model_copy(update={"occurred_at": moment}) for one, moment in zip(end, moments, strict=True)),
    )


def at_address(history: Facts, address: str) -> Facts:
    """With the worker at this one."""
    moved = {"ip_address": address}
    return tuple(fact.model_copy(update=moved) if fact.type() == "IpAssigned" else fact for fact in history)
