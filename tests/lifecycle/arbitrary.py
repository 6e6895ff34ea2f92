"""Hypothesis strategies: any fact, and any history, however often it repeats itself and in whatever order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from shared.actor import Actor
from shared.lifecycle import events as e
from shared.lifecycle.decide import archive, drain, reinstall, terminate
from shared.lifecycle.errors import IntentRefused
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Action
from shared.lifecycle.fold import evolve
from shared.lifecycle.instance import Instance
from shared.lifecycle.news import is_news
from shared.lifecycle.wish import FailedPlace, Findings
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts

law: Final = settings(max_examples=min(60, settings().max_examples), suppress_health_check=[HealthCheck.too_slow])
"""How hard each property is tried: together they take a few seconds."""

_SERVERS: Final = (f.SERVER, "a-second-server", "a-third-server")
_WORDS: Final = ("one", "two", "three")
_counts: Final = st.integers(1, 3)

_FIELDS: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "instance_id": st.just(f.INSTANCE_ID),
    "occurred_at": st.integers(-60, 3600).map(lambda seconds: f.AT + timedelta(seconds=seconds)),
    "specification": st.booleans().map(lambda keep: f.a_specification(keep_for_inspection=keep)),
    "requested_by": st.none() | st.just(f.SOMEBODY) | st.just(Actor(kind="service", name="scaler")),
    "findings": st.builds(
        Findings,
        commit=st.none() | st.just("a" * 40),
        gpu_memory_gb=st.none() | st.just(0.988),
        weights_bytes=st.none() | st.just(988_097_824),
        warnings=st.sampled_from([(), ("tight",)]),
        avoid=st.sampled_from([(), (FailedPlace(zone="one", instance_type="two"),)]),
    ),
    "attempt": st.sampled_from((1, 1, 2, 3)),
    "image_id": st.sampled_from((f.IMAGE, *_WORDS)),
    "machine_image": st.none() | st.just(f.IMAGE),
    "vllm_image": st.just("vllm/vllm-openai:v0.32.0"),
    "model": st.none() | st.just("Qwen/Qwen2.5-0.5B-Instruct"),
    "commit": st.none() | st.just("a" * 40),
    "warmed": st.none() | st.booleans(),
    "not_warmed_because": st.none() | st.just("it did not serve within 900 s"),
    "monthly_price": st.none() | st.floats(0, 25),
    "server_id": st.sampled_from((*_SERVERS, f.SERVER)),
    "volume_id": st.sampled_from(_WORDS),
    "scratch": st.booleans(),
    "scratch_erased": st.booleans(),
    "address_id": st.none() | st.sampled_from(_WORDS),
    "security_group_id": st.sampled_from(_WORDS),
    "zone": st.sampled_from(_WORDS),
    "instance_type": st.sampled_from(_WORDS),
    "hourly_price": st.none() | st.floats(0, 25),
    "currency": st.just("EUR"),
    "host_key": st.none() | st.sampled_from(_WORDS),
    "source_ranges": st.just(("0.0.0.0/0",)),
    "limit_seconds": _counts,
    "period": st.sampled_from(("hour", "month")),
    "month": st.sampled_from(("2026-01", "2026-02")),
    "limit": st.sampled_from((1.5, 500.0)),
    "spent": st.floats(500, 1000),
    "size_gb": _counts,
    "ip_address": st.sampled_from(("51.15.0.10", "51.15.0.11")),
    "ports": st.just((22, 8000)),
    "skipped": st.booleans(),
    "forced": st.booleans(),
    "revision": st.none() | st.integers(0, 4),
    "install_try": _counts,
    "exit_status": st.none() | st.integers(0, 255),
    "output": st.just(("E: unable to fetch",)),
    "stage": st.sampled_from(_WORDS),
    "fraction": st.floats(0, 1),
    "outage": _counts,
    "counter": _counts,
    "action": st.sampled_from(Action),
    "number": _counts,
    "next_try_at": st.just(f.AT + timedelta(seconds=90)),
    "code": st.sampled_from(_WORDS),
    "message": st.sampled_from(_WORDS),
    "reason": st.sampled_from(_WORDS),
    "max_model_len": st.none() | st.integers(1, 2**31 - 1),
    "longest_context": st.none() | st.integers(1, 2**31 - 1),
    "vllm_version": st.sampled_from((None, "0.13.0", "0.32.0")),
    "worker_tls": st.sampled_from(("mutual", "off")),
    "fetched_bytes": st.sampled_from((0, 400, 1000)),
    "total_bytes": st.just(1000),
    "files": st.integers(0, 2),
    "files_total": st.just(2),
    "phase": st.none() | st.sampled_from(f.PHASES),
}
"""By field name, for every event: a new field without a strategy fails here, and is not forgotten."""

_MAY_BE_NONE: Final = {
    (e.InstanceTerminated, "server_id"),
    (e.ResourcesReleased, "server_id"),
    (e.VolumeResized, "volume_id"),
    (e.VolumeResized, "size_gb"),
    (e.PortsOpened, "security_group_id"),
}


def _strategy(kind: type[Event]) -> st.SearchStrategy[Event]:
    fields = {
        name: st.none() | _FIELDS[name] if (kind, name) in _MAY_BE_NONE else _FIELDS[name] for name in kind.model_fields
    }
    return st.fixed_dictionaries(fields).map(kind.model_validate)


def _a_phase(attempt: int, install_try: int, index: int) -> e.SshInstallPhaseReached:
    """A script declares its phases: the name and the index of one go together."""
    phase = f.PHASES[index - 1]
    return f.ssh_install_phase_reached(attempt=attempt, install_try=install_try, index=index, phase=phase)


_phases: Final = st.builds(_a_phase, _counts, _counts, st.integers(1, len(f.PHASES)))
_BY_KIND: Final[Mapping[type[Event], st.SearchStrategy[Event]]] = {
    kind: _phases if kind is e.SshInstallPhaseReached else _strategy(kind) for kind in e.EVENTS.values()
}

_LIVES: Final[Sequence[Facts]] = (
    *h.IN_STATUS.values(),
    f.timed(
        *h.a_reinstalled_instance(),
        *h.an_install(attempt=2),
        f.ssh_install_completed(attempt=2),
        *h.a_warm_up(attempt=2),
        f.instance_ready(attempt=2),
        f.health_lost(attempt=2),
        f.health_restored(attempt=2),
        f.drain_requested(),
        f.drained(),
        f.instance_terminated(),
        f.instance_archived(),
    ),
    f.timed(*h.a_failed_start(keep=True), f.reinstall_requested(), *h.an_install(attempt=2), f.termination_requested()),
    f.timed(*h.a_failed_start(keep=True), f.server_stopped(), f.server_restarted(), f.server_lost()),
    f.timed(*h.a_terminating_instance(), f.server_deleted(), f.server_restarted(), f.instance_terminated()),
    f.timed(*h.a_failed_start(), f.resources_released(), f.volume_found(volume_id="late"), f.resources_released()),
    f.timed(
        *h.a_starting_instance(),
        f.server_stopped(),
        f.server_restarted(),
        f.instance_ready(),
        f.server_stopped(),
        f.health_restored(),
    ),
    f.timed(*h.a_ready_instance(idle_shutdown=1800), f.idle_limit_reached(), f.drained(), f.instance_terminated()),
    f.timed(*h.a_starting_instance(max_lifetime=60), f.lifetime_limit_reached(), f.instance_terminated()),
    f.timed(*h.a_stored_image(), f.machine_image_retired(), f.machine_image_deleted(), f.instance_archived()),
    f.timed(*h.a_sealed_machine(), f.startup_failed(), f.resources_released()),
)


def events(kinds: Sequence[type[Event]] = tuple(e.EVENTS.values())) -> st.SearchStrategy[Event]:
    """Any fact of these types: of any attempt, any server, any time."""
    return st.sampled_from(kinds).flatmap(_BY_KIND.__getitem__)


@st.composite
def histories(draw: st.DrawFn) -> Facts:
    """A request, then a life or a part of one: truncated, disturbed by any facts, repeated, and in any order."""
    requested, *life = draw(st.sampled_from(_LIVES))
    happened = life[: draw(st.integers(0, len(life)))]
    for event in draw(st.lists(events(), max_size=6)):
        happened.insert(draw(st.integers(0, len(happened))), event)
    for event in draw(st.lists(st.sampled_from(happened), max_size=4)) if happened else ():
        happened.insert(draw(st.integers(0, len(happened))), event)
    if draw(st.integers(0, 3)) == 0:
        happened = draw(st.permutations(happened))
    return (requested, *happened)


@dataclass(frozen=True)
class Step:
    """One fact of a history, with the instance before and after it."""

    before: Instance
    event: Event
    after: Instance


def steps(history: Facts) -> Iterator[Step]:
    """Every step of a history after its request, whatever the journal would have made of it."""
    instance = f.given(history[0])
    for event in history[1:]:
        after = evolve(instance, event)
        yield Step(instance, event, after)
        instance = after


_DECIDES: Final[Mapping[type[Event], Callable[[Instance, datetime], Event]]] = {
    e.ReinstallRequested: reinstall,
    e.DrainRequested: drain,
    e.TerminationRequested: terminate,
    e.InstanceArchived: archive,
}


def recorded(history: Facts) -> Iterator[Step]:
    """What a journal keeps of these: facts that are news, and intents that are decided for."""
    instance = f.given(history[0])
    for seen in history[1:]:
        event = _judged(instance, seen)
        if event is not None:
            after = evolve(instance, event)
            yield Step(instance, event, after)
            instance = after


def _judged(instance: Instance, seen: Event) -> Event | None:
    decide = _DECIDES.get(type(seen))
    if decide is None:
        return seen if is_news(instance, seen) else None
    try:
        return decide(instance, seen.occurred_at)
    except IntentRefused:
        return None
