"""The decision core: given an instance, when this is seen, then these are the facts."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as law
from hypothesis import settings as effort
from hypothesis import strategies as st

from services.health.deadlines import due, pause
from services.health.look import chains, learned, milestones, spoken
from services.health.memory import Memory, remembered
from services.health.probes import Failed, ModelListed, OldWorker, Outcome, Passed, Probe, Refused, Running, WarmedUp
from services.health.settings import HealthSettings
from services.health.watch import must_be_watched, verdict
from shared.lifecycle import events as e
from shared.lifecycle.fold import evolve
from shared.lifecycle.instance import Instance
from shared.lifecycle.news import is_news
from shared.lifecycle.status import STARTING_UP, WATCHED, Status
from shared.lifecycle.transport import WorkerTls
from shared.vllm_version import VllmVersion
from tests.health.examples import a_pace
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given

PACE = a_pace(
    startup_seconds=600, unavailable_seconds=300, drain_seconds=120, router_staleness_seconds=10, ready_look_seconds=5
)
GOOD: dict[Probe, Outcome] = {probe: Passed() for probe in (Probe.HEALTH, Probe.MODELS, Probe.WARMUP)}
BAD: dict[Probe, Outcome] = {Probe.HEALTH: Refused()}
LATER = f.AT + timedelta(hours=1)


def in_status(status: Status) -> Instance:
    return given(*h.IN_STATUS[status])


def after(instance: Instance, *looks: dict[Probe, Outcome], at: datetime = LATER) -> Memory:
    memory = Memory(instance.status)
    for outcomes in looks:
        memory = remembered(memory, instance, outcomes, at)
    return memory


def judged(instance: Instance, *looks: dict[Probe, Outcome], at: datetime = LATER) -> e.Event | None:
    """The verdict after these looks, all at the same moment, of a watch that was called for at that moment."""
    return verdict(instance, after(instance, *looks, at=at), at, at, PACE)


@pytest.mark.parametrize("status", Status)
def test_every_watched_status_is_probed_and_no_other(status: Status) -> None:
    assert bool(chains(in_status(status))) is (status in WATCHED)


@pytest.mark.parametrize("status", sorted(STARTING_UP))
def test_the_worker_is_asked_in_every_status_before_ready(status: Status) -> None:
    assert (Probe.HEALTH, Probe.MODELS, Probe.WARMUP) in chains(in_status(status))


def test_ssh_is_asked_while_booting_until_it_was_reached_once() -> None:
    booting = given(*f.timed(*h.a_created_server(), f.instance_started(), f.ip_assigned()))
    assert (Probe.SSH,) in chains(booting)
    assert (Probe.SSH,) not in chains(evolve(booting, f.ssh_reachable()))


def test_without_an_address_nothing_is_probed_but_the_watch_is_kept() -> None:
    booting = given(*h.a_created_server(), f.instance_started())
    assert chains(booting) == ()
    assert must_be_watched(booting, attempt=1)


def test_a_ready_worker_gets_no_warm_up_that_a_full_queue_could_delay() -> None:
    ready = in_status(Status.READY)
    assert chains(ready) == ((Probe.HEALTH,),)
    assert chains(ready, models=True, counts=True) == ((Probe.HEALTH, Probe.MODELS, Probe.RUNNING),)


def test_a_ready_worker_that_no_longer_lists_the_model_is_lost_as_one_without_an_answer_is() -> None:
    look: dict[Probe, Outcome] = {Probe.HEALTH: Passed(), Probe.MODELS: Failed("x is not among the 0 models listed")}
    lost = judged(in_status(Status.READY), look, look, look)
    assert isinstance(lost, e.HealthLost)
    assert lost.reason == "GET /v1/models: x is not among the 0 models listed"


@pytest.mark.parametrize("status", Status)
def test_a_watch_ends_with_its_attempt_and_with_the_statuses_that_need_it(status: Status) -> None:
    instance = in_status(status)
    assert must_be_watched(instance, instance.attempt) is (status in WATCHED)
    assert not must_be_watched(instance, instance.attempt + 1)


@pytest.mark.parametrize("status", sorted(STARTING_UP))
def test_each_answer_shows_its_milestones_whatever_the_status_before_ready(status: Status) -> None:
    instance = in_status(status)
    assert milestones(instance, Probe.SSH, Passed()) == (e.SshReachable,)
    assert milestones(instance, Probe.HEALTH, Passed()) == ()
    assert milestones(instance, Probe.MODELS, Failed("no answer")) == (e.WorkerReachable,)
    assert milestones(instance, Probe.MODELS, Passed()) == (e.WorkerReachable, e.ModelLoaded)
    assert milestones(instance, Probe.WARMUP, Passed()) == (e.WarmupCompleted, e.HealthPassed)


def test_only_a_loaded_model_tells_its_longest_context() -> None:
    assert learned(e.ModelLoaded, ModelListed(2048)) == {"max_model_len": 2048}
    assert learned(e.ModelLoaded, Passed()) == learned(e.WorkerReachable, ModelListed(2048)) == {}


def test_only_a_worker_that_is_warm_tells_its_version() -> None:
    assert learned(e.WarmupCompleted, WarmedUp(VllmVersion(0, 32, 0))) == {"vllm_version": "0.32.0"}
    assert learned(e.WarmupCompleted, WarmedUp(None)) == {"vllm_version": None}
    assert learned(e.HealthPassed, WarmedUp(VllmVersion(0, 32, 0))) == {}


@law(
    st.sampled_from(sorted(STARTING_UP)),
    st.sampled_from(Probe),
    st.sampled_from((Refused(), OldWorker(), Failed("x"), Running(0))),
)
def test_an_answer_that_is_not_as_it_should_be_never_shows_a_loaded_or_warm_model(
    status: Status, probe: Probe, outcome: Outcome
) -> None:
    assert set(milestones(in_status(status), probe, outcome)) <= {e.WorkerReachable}


def test_an_old_worker_does_not_count_as_seen() -> None:
    assert milestones(in_status(Status.STARTING), Probe.MODELS, OldWorker()) == ()


@pytest.mark.parametrize("probe", [Probe.HEALTH, Probe.MODELS, Probe.WARMUP])
def test_in_a_later_attempt_no_worker_is_seen_before_its_install_is_completed(probe: Probe) -> None:
    installing = given(*h.a_reinstalled_instance(), f.ssh_install_started(attempt=2))
    assert milestones(installing, probe, Passed()) == ()
    assert judged(installing, GOOD, GOOD, GOOD) is None
    installed = evolve(installing, f.ssh_install_completed(attempt=2))
    assert milestones(installed, Probe.MODELS, Passed()) == (e.WorkerReachable, e.ModelLoaded)
    assert isinstance(judged(installed, GOOD, GOOD), e.InstanceReady)


@pytest.mark.parametrize("status", sorted(STARTING_UP))
def test_enough_full_passes_in_a_row_make_it_ready_from_every_status_before(status: Status) -> None:
    instance = in_status(status)
    assert judged(instance, GOOD) is None
    assert judged(instance, GOOD, BAD, GOOD) is None
    assert judged(instance, BAD, GOOD, GOOD) == f.instance_ready(occurred_at=LATER)


def test_passes_that_began_while_installing_still_count_once_it_is_starting() -> None:
    memory = after(in_status(Status.INSTALLING), GOOD)
    starting = in_status(Status.STARTING)
    memory = remembered(memory, starting, GOOD, LATER)
    assert isinstance(verdict(starting, memory, LATER, LATER, PACE), e.InstanceReady)


def test_passes_of_a_ready_instance_do_not_restore_one_that_became_unavailable_meanwhile() -> None:
    memory = after(in_status(Status.READY), GOOD, GOOD, GOOD)
    assert verdict(in_status(Status.UNAVAILABLE), memory, LATER, f.AT, PACE) is None


def test_several_failures_in_a_row_lose_it_and_say_what_was_seen() -> None:
    ready = in_status(Status.READY)
    assert judged(ready, BAD, BAD) is None
    assert judged(ready, BAD, BAD, GOOD, BAD) is None
    lost = judged(ready, BAD, BAD, BAD)
    assert lost == f.health_lost(occurred_at=LATER, reason="GET /health: connection refused")


def test_the_next_outage_has_the_next_number() -> None:
    once_restored = given(*h.a_ready_instance(), f.health_lost(), f.health_restored())
    lost = judged(once_restored, BAD, BAD, BAD)
    assert isinstance(lost, e.HealthLost)
    assert lost.outage == 2


def test_passes_in_a_row_restore_it() -> None:
    unavailable = given(*h.a_ready_instance(), f.health_lost(occurred_at=LATER))
    assert judged(unavailable, GOOD) is None
    assert judged(unavailable, GOOD, GOOD) == f.health_restored(occurred_at=LATER)


def test_one_that_stays_unavailable_fails_for_good() -> None:
    unavailable = given(*h.a_ready_instance(), f.health_lost(occurred_at=LATER))
    limit = LATER + timedelta(seconds=PACE.unavailable_seconds)
    assert judged(unavailable, BAD, at=limit - timedelta(seconds=1)) is None
    failed = judged(unavailable, BAD, at=limit)
    assert isinstance(failed, e.InstanceFailed)
    assert failed.code == "unavailable_too_long"
    assert "connection refused" in failed.message


def restarted(*volumes: e.Event) -> Instance:
    """Its server was stopped while it was ready, and started again ten minutes later, when it should have failed."""
    on_again = f.server_restarted(occurred_at=LATER + timedelta(seconds=600))
    return given(*h.a_ready_instance(), *volumes, f.server_stopped(occurred_at=LATER), on_again)


def test_one_whose_models_a_full_stop_erased_has_the_time_of_a_start_from_its_restart_on() -> None:
    scratch = f.volume_found(volume_id="scratch", scratch=True)
    erased = restarted(scratch)
    assert due(erased, LATER, PACE) == LATER + timedelta(seconds=600 + PACE.startup_seconds)
    failed = judged(erased, BAD, at=LATER + timedelta(seconds=600 + PACE.startup_seconds))
    assert isinstance(failed, e.InstanceFailed)
    assert failed.message.startswith(f"Its models were not loaded again within {PACE.startup_seconds:g} s of the ")
    again = evolve(evolve(erased, f.health_restored()), f.health_lost(outage=2, occurred_at=LATER + timedelta(hours=3)))
    assert due(again, LATER, PACE) == LATER + timedelta(hours=3, seconds=PACE.unavailable_seconds)


def test_one_whose_models_are_erased_while_it_starts_has_the_time_of_a_start_from_its_restart_on_too() -> None:
    scratch = f.volume_found(volume_id="scratch", scratch=True)
    again = LATER + timedelta(seconds=600)
    stopped = given(*h.a_starting_instance(), scratch, f.server_stopped(occurred_at=LATER))
    up = f.ssh_install_completed(occurred_at=again + timedelta(seconds=60))
    loading = evolve(evolve(stopped, f.server_restarted(occurred_at=again)), up)
    assert (stopped.status, loading.status) == (Status.BOOTING, Status.STARTING)
    assert due(stopped, f.AT, PACE) == f.AT + timedelta(seconds=PACE.startup_seconds)
    assert due(loading, f.AT, PACE) == again + timedelta(seconds=PACE.startup_seconds)
    reinstalled = again + timedelta(hours=1)
    assert due(loading, reinstalled, PACE) == reinstalled + timedelta(seconds=PACE.startup_seconds)
    limit = again + timedelta(seconds=PACE.startup_seconds)
    failed = verdict(loading, after(loading, BAD), f.AT, limit, PACE)
    assert isinstance(failed, e.StartupFailed)
    assert "since its server started again without its models" in failed.message


@pytest.mark.parametrize("volumes", [(), (f.volume_found(volume_id="theirs", server_id="another", scratch=True),)])
def test_one_that_kept_its_models_is_unavailable_for_no_longer_after_a_restart(volumes: tuple[e.Event, ...]) -> None:
    assert due(restarted(*volumes), LATER, PACE) == LATER + timedelta(seconds=PACE.unavailable_seconds)


def test_one_whose_server_stays_off_fails_as_any_other() -> None:
    off = given(*h.a_ready_instance(), f.volume_found(scratch=True), f.server_stopped(occurred_at=LATER))
    assert due(off, LATER, PACE) == LATER + timedelta(seconds=PACE.unavailable_seconds)


@pytest.mark.parametrize("status", sorted(STARTING_UP))
def test_startup_ends_at_its_deadline_with_the_last_thing_seen(status: Status) -> None:
    instance = in_status(status)
    limit = LATER + timedelta(seconds=PACE.startup_seconds)
    memory = after(instance, {Probe.HEALTH: Passed(), Probe.MODELS: Failed("HTTP 503")})
    assert verdict(instance, memory, LATER, limit - timedelta(seconds=1), PACE) is None
    failed = verdict(instance, memory, LATER, limit, PACE)
    assert isinstance(failed, e.StartupFailed)
    assert failed.code == "startup_timeout"
    assert instance.step in failed.message
    assert "GET /v1/models: HTTP 503" in failed.message


def test_startup_ends_at_its_deadline_even_if_nothing_could_ever_be_asked() -> None:
    booting = given(*h.a_created_server(), f.instance_started())
    failed = verdict(booting, after(booting, {}), f.AT, LATER, PACE)
    assert isinstance(failed, e.StartupFailed)
    assert "never asked" in failed.message


def test_a_pass_at_the_deadline_may_still_be_confirmed() -> None:
    starting = in_status(Status.STARTING)
    over = LATER + timedelta(seconds=PACE.startup_seconds + 1)
    assert verdict(starting, after(starting, GOOD), LATER, over, PACE) is None
    assert isinstance(verdict(starting, after(starting, GOOD, BAD), LATER, over, PACE), e.StartupFailed)


def draining(**overrides: Any) -> Instance:
    return given(*h.a_ready_instance(), f.drain_requested(occurred_at=LATER, **overrides))


@pytest.mark.parametrize("idle", [Running(0), Refused()])
def test_it_is_drained_once_nothing_ran_for_longer_than_a_router_may_be_stale(idle: Outcome) -> None:
    instance = draining()
    memory = after(instance, {Probe.RUNNING: Running(2)}, {Probe.RUNNING: idle}, at=LATER)
    assert verdict(instance, memory, f.AT, LATER + timedelta(seconds=9), PACE) is None
    later = LATER + timedelta(seconds=10)
    assert verdict(instance, memory, f.AT, later, PACE) == f.drained(occurred_at=later)


@pytest.mark.parametrize("seen", [Running(1), Failed("no answer within 5 s"), OldWorker()])
def test_what_is_busy_or_unknown_is_not_idle_and_is_drained_by_force_in_the_end(seen: Outcome) -> None:
    instance = draining()
    memory = after(instance, {Probe.RUNNING: Running(0)}, {Probe.RUNNING: seen}, at=LATER)
    later = LATER + timedelta(seconds=PACE.drain_seconds)
    assert verdict(instance, memory, f.AT, later - timedelta(seconds=1), PACE) is None
    assert verdict(instance, memory, f.AT, later, PACE) == f.drained(occurred_at=later, forced=True)


def test_waits_follow_what_is_about_to_change() -> None:
    def wait(instance: Instance, *looks: dict[Probe, Outcome]) -> float:
        return pause(instance, after(instance, *looks), LATER, LATER, PACE)

    unavailable = given(*h.a_ready_instance(), f.health_lost(occurred_at=LATER))
    for status in STARTING_UP:
        assert wait(in_status(status), BAD) == PACE.startup_look_seconds
        assert wait(in_status(status), GOOD) == 0
        assert wait(in_status(status), GOOD, GOOD) == PACE.startup_look_seconds
    assert wait(in_status(Status.READY), GOOD) == wait(in_status(Status.READY), BAD) == PACE.ready_look_seconds
    assert wait(unavailable, BAD) == PACE.ready_look_seconds
    assert wait(unavailable, GOOD) == PACE.startup_look_seconds
    assert wait(draining(), {Probe.RUNNING: Running(0)}) == PACE.draining_look_seconds


def test_a_wait_does_not_sleep_through_a_deadline() -> None:
    unavailable = given(*h.a_ready_instance(), f.health_lost(occurred_at=LATER))
    just_before = LATER + timedelta(seconds=PACE.unavailable_seconds - 1)
    assert pause(unavailable, after(unavailable, BAD), f.AT, just_before, PACE) == 1


OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(
    (Passed(), Running(0), Running(3), Refused(), OldWorker(), Failed("HTTP 500"))
)


def one_look(instance: Instance, data: st.DataObject) -> dict[Probe, Outcome]:
    outcomes: dict[Probe, Outcome] = {}
    for chain in chains(instance):
        for probe in chain:
            outcomes[probe] = data.draw(OUTCOMES)
            if outcomes[probe] != Passed():
                break
    return outcomes


@law(st.sampled_from(sorted(WATCHED - {Status.READY})), st.data())
@effort(max_examples=60)
def test_whatever_is_seen_every_status_with_a_deadline_is_left_soon_after_it(
    status: Status, data: st.DataObject
) -> None:
    pace = short_pace()
    instance, at = in_status(status), f.AT + timedelta(hours=1)
    instance = instance.model_copy(update={"status_since": at})
    began, memory, limit = at, Memory(status), due(instance, at, pace)
    assert limit is not None
    event = None
    while event is None:
        assert at < limit + timedelta(seconds=30)
        outcomes = one_look(instance, data)
        memory = remembered(memory, instance, outcomes, at)
        event = verdict(instance, memory, began, at, pace)
        waits = pause(instance, memory, began, at, pace)
        assert waits > 0 or memory.passes > 0
        at += timedelta(seconds=waits + 0.01)
    assert is_news(instance, event)
    assert evolve(instance, event).status is not status


def short_pace() -> HealthSettings:
    return a_pace(startup_seconds=20, unavailable_seconds=20, drain_seconds=20, startup_look_seconds=2)


def may_idle(seconds: int = 1800) -> Instance:
    return given(*h.a_ready_instance(idle_shutdown=seconds))


SERVING: dict[Probe, Outcome] = {Probe.HEALTH: Passed(), Probe.MODELS: Passed()}


def seen_each_minute(instance: Instance, *seen: Outcome) -> Memory:
    memory = Memory(instance.status)
    for minute, outcome in enumerate(seen):
        looked = {**SERVING, Probe.RUNNING: outcome}
        memory = remembered(memory, instance, looked, LATER + timedelta(minutes=minute))
    return memory


def test_only_one_that_may_idle_out_is_asked_what_it_runs_while_ready() -> None:
    assert chains(may_idle()) == ((Probe.HEALTH, Probe.RUNNING),)
    assert chains(in_status(Status.READY)) == ((Probe.HEALTH,),)


@pytest.mark.parametrize("counts", [Running(3, 7.0, 512.0), Failed("the metrics cannot be read")])
def test_what_a_worker_runs_says_nothing_of_whether_it_serves(counts: Outcome) -> None:
    for instance in (may_idle(), in_status(Status.READY)):
        memory = after(instance, {**SERVING, Probe.RUNNING: counts})
        assert (memory.passes, memory.failures) == (1, 0)


def test_a_ready_worker_is_asked_for_its_counts_now_and_then() -> None:
    assert chains(in_status(Status.READY), counts=True) == ((Probe.HEALTH, Probe.RUNNING),)
    assert chains(in_status(Status.STARTING), counts=True) == chains(in_status(Status.STARTING))


def test_an_engine_that_has_requests_and_produces_nothing_is_lost_because_it_hangs() -> None:
    ready, hung = in_status(Status.READY), Running(3, 7.0, 512.0)
    memory = seen_each_minute(ready, hung, hung)
    limit = LATER + timedelta(seconds=PACE.hang_seconds)
    assert verdict(ready, memory, f.AT, limit - timedelta(seconds=1), PACE) is None
    lost = verdict(ready, memory, f.AT, limit, PACE)
    assert isinstance(lost, e.HealthLost)
    assert lost.reason == "the engine hangs: 3 requests run or wait, and nothing was produced for 300 s"


@pytest.mark.parametrize(
    "working",
    [
        (Running(3, 7.0, 512.0), Running(3, 7.0, 513.0)),
        (Running(3, 7.0, 512.0), Running(3, 7.0, 512.0), Running(3, 8.0, 600.0)),
        (Running(0, 7.0, 512.0), Running(0, 7.0, 512.0)),
        (Running(3, 7.0, 512.0), Failed("no answer within 5 s")),
        (Running(3, 7.0), Running(3, 7.0)),
    ],
    ids=["tokens came", "it went on", "no requests", "unreadable", "it counts nothing"],
)
def test_an_engine_that_works_or_cannot_be_read_does_not_hang(working: tuple[Outcome, ...]) -> None:
    memory = seen_each_minute(in_status(Status.READY), *working)
    assert verdict(in_status(Status.READY), memory, f.AT, LATER + timedelta(hours=1), PACE) is None


@pytest.mark.parametrize("status", [Status.INSTALLING, Status.STARTING])
def test_a_launch_whose_server_somebody_stopped_fails_within_minutes_unless_it_is_started_again(
    status: Status,
) -> None:
    facts = h.an_installing_instance() if status is Status.INSTALLING else h.a_starting_instance()
    stopped = given(*facts, f.server_stopped(occurred_at=LATER))
    limit = LATER + timedelta(seconds=PACE.stopped_seconds)
    assert limit <= LATER + timedelta(minutes=5)
    assert verdict(stopped, after(stopped, BAD), LATER, limit - timedelta(seconds=1), PACE) is None
    failed = verdict(stopped, after(stopped, BAD), LATER, limit, PACE)
    assert isinstance(failed, e.StartupFailed)
    assert (failed.code, "Somebody stopped the server" in failed.message) == ("server_stopped", True)
    again = evolve(stopped, f.server_restarted(occurred_at=LATER + timedelta(seconds=60)))
    assert verdict(again, after(again, BAD), LATER, limit, PACE) is None


def test_a_worker_that_serves_nobody_is_drained_when_its_owners_time_is_over() -> None:
    memory = seen_each_minute(may_idle(), Running(0, 7.0), Running(0, 7.0))
    limit = LATER + timedelta(seconds=1800)
    assert verdict(may_idle(), memory, f.AT, limit - timedelta(seconds=1), PACE) is None
    reached = f.idle_limit_reached(occurred_at=limit, limit_seconds=1800)
    assert verdict(may_idle(), memory, f.AT, limit, PACE) == reached


@pytest.mark.parametrize(
    "active",
    [
        (Running(0, 7.0), Running(1, 7.0)),
        (Running(0, 7.0), Running(0, 8.0)),
        (Running(0, 7.0), Running(0, 0.0)),
        (Running(0, 7.0), Failed("no answer within 5 s")),
        (Running(0), Running(0)),
        (Refused(), Refused()),
    ],
    ids=["one runs", "one ran between two looks", "it began anew", "unreadable", "it counts nothing", "closed"],
)
def test_what_was_used_or_cannot_be_told_is_not_idle(active: tuple[Outcome, ...]) -> None:
    memory = seen_each_minute(may_idle(), *active)
    assert verdict(may_idle(), memory, f.AT, LATER + timedelta(seconds=1800), PACE) is None


def test_without_a_limit_nobody_idles_out() -> None:
    ready = in_status(Status.READY)
    memory = seen_each_minute(ready, Running(0, 7.0), Running(0, 7.0))
    assert verdict(ready, memory, f.AT, LATER + timedelta(days=30), PACE) is None


def test_an_outage_begins_the_idle_time_anew() -> None:
    memory = seen_each_minute(may_idle(), Running(0, 7.0), Running(0, 7.0))
    lost = given(*h.a_ready_instance(idle_shutdown=1800), f.health_lost())
    memory = remembered(memory, lost, BAD, LATER + timedelta(minutes=2))
    memory = remembered(memory, may_idle(), {**SERVING, Probe.RUNNING: Running(0, 7.0)}, LATER + timedelta(minutes=3))
    assert memory.idle_since == LATER + timedelta(minutes=3)


def test_a_failure_says_when_somebody_had_stopped_the_server() -> None:
    stopped = f.server_stopped(occurred_at=LATER)
    instance = given(*h.a_ready_instance(), stopped)
    failed = judged(instance, BAD, at=LATER + timedelta(seconds=PACE.unavailable_seconds))
    assert isinstance(failed, e.InstanceFailed)
    assert failed.message.endswith("The server was stopped at the provider.")


@pytest.mark.parametrize("setting", ["mutual", "off"])
def test_a_worker_is_talked_to_as_its_install_recorded_and_before_that_as_is_set(setting: WorkerTls) -> None:
    assert spoken(given(*h.a_launch()), setting) == setting
    for recorded in ("mutual", "off"):
        installing = given(*h.a_launch(), f.ssh_install_started(worker_tls=recorded))
        assert spoken(installing, setting) == recorded
        assert spoken(evolve(evolve(installing, f.instance_ready()), f.reinstall_requested()), setting) == setting
