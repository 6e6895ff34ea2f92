"""The seven laws of the lifecycle, over any history: repeated, reordered, truncated, and with facts of other attempts.

Where a law speaks of what the journal holds, the history is first judged as the journal judges it (`recorded`).
"""

from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given as for_any

from shared.lifecycle import events as e
from shared.lifecycle import status as s
from shared.lifecycle.events import Event, event_id
from shared.lifecycle.fact import Action, AttemptFact
from shared.lifecycle.fold import evolve
from shared.lifecycle.instance import Instance
from shared.lifecycle.plan import INSTALLING, LAUNCHING, RELEASING, due, plan
from shared.lifecycle.progress import PROGRESS, REINSTALL
from shared.lifecycle.status import Status
from shared.lifecycle.transitions import TRANSITIONS, status_after
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.arbitrary import events, histories, law, recorded, steps
from tests.lifecycle.facts import Facts, given

TRIGGERS: Final = {*LAUNCHING, *INSTALLING, *RELEASING}


def timeline_only(before: Instance, after: Instance) -> bool:
    """Nothing but the count of events and the time of the last one differs."""
    counted = {"version": before.version + 1, "updated_at": after.updated_at}
    return after == before.model_copy(update=counted) and after.updated_at >= before.updated_at


# Law 1: evolve never raises.


@law
@for_any(histories())
def test_any_fact_on_any_instance_is_one_more_version_of_it(history: Facts) -> None:
    instance = given(*history)
    assert instance.version == len(history)
    assert Instance.model_validate(instance.model_dump()) == instance


@law
@for_any(histories())
def test_a_fact_that_the_table_does_not_expect_changes_no_status(history: Facts) -> None:
    for step in steps(history):
        if type(step.event) not in TRANSITIONS[step.before.status]:
            assert step.after.status is step.before.status


@law
@for_any(histories(), events())
def test_a_fact_seen_twice_is_worth_as_much_as_seen_once(history: Facts, event: Event) -> None:
    once = evolve(given(*history), event)
    assert timeline_only(once, evolve(once, event))


@pytest.mark.parametrize("status", Status)
def test_the_table_has_an_answer_for_every_status_and_event(status: Status) -> None:
    for kind in e.EVENTS.values():
        assert status_after(status, kind) is TRANSITIONS[status].get(kind, status)


# Law 2: starting means sixty percent, ready a hundred.


@law
@for_any(histories())
def test_a_starting_instance_shows_at_least_sixty_percent(history: Facts) -> None:
    for step in steps(history):
        if step.after.status is Status.STARTING:
            assert step.after.progress_percent >= 60


@law
@for_any(histories())
def test_a_ready_instance_shows_a_hundred_percent(history: Facts) -> None:
    for step in steps(history):
        if step.after.status is Status.READY:
            assert step.after.progress_percent == 100


def test_only_instance_ready_and_health_restored_lead_to_ready() -> None:
    leading = {kind for moves in TRANSITIONS.values() for kind, status in moves.items() if status is Status.READY}
    assert leading == {e.InstanceReady, e.HealthRestored}


# Law 3: a milestone reached is remembered, and progress never falls within an attempt.


@law
@for_any(histories())
def test_progress_never_falls_within_an_attempt(history: Facts) -> None:
    for step in steps(history):
        if step.after.attempt == step.before.attempt:
            assert step.after.progress_percent >= step.before.progress_percent


@law
@for_any(histories())
def test_a_milestone_of_this_attempt_is_remembered_whatever_the_status_was(history: Facts) -> None:
    for step in steps(history):
        if step.after.attempt == step.before.attempt:
            assert step.after.milestones >= step.before.milestones
            of_this_attempt = getattr(step.event, "attempt", step.before.attempt) == step.before.attempt
            of_its_purpose = step.event.purpose in (None, step.before.specification.purpose)
            if type(step.event) in PROGRESS and of_this_attempt and of_its_purpose:
                assert step.after.reached(type(step.event))


@law
@for_any(histories())
def test_progress_is_the_highest_milestone_reached_until_the_instance_ends(history: Facts) -> None:
    for step in steps(history):
        instance = step.after
        if instance.status not in s.ENDING:
            reached = [percent for kind, percent in PROGRESS.items() if instance.reached(kind)]
            floor = max([*reached, REINSTALL if instance.attempt > 1 else 0])
            spread = {"SshInstallPhaseReached", "WeightsProgressed", "ModelLoadProgressed"} & instance.milestones
            assert instance.progress_percent >= floor if spread else instance.progress_percent == floor


# Law 4: a fact of another attempt changes nothing but the timeline.


@law
@for_any(histories(), events([kind for kind in e.EVENTS.values() if issubclass(kind, AttemptFact)]))
def test_a_fact_of_another_attempt_changes_nothing_but_the_timeline(history: Facts, event: Event) -> None:
    instance = given(*history)
    assert isinstance(event, AttemptFact)
    if event.attempt != instance.attempt:
        assert timeline_only(instance, evolve(instance, event))


@law
@for_any(histories(), events([e.ReinstallRequested, e.ActionDelayed]))
def test_an_attempt_that_is_not_due_neither_begins_nor_spends_a_try(history: Facts, event: Event) -> None:
    instance = given(*history)
    due = instance.attempt + (1 if isinstance(event, e.ReinstallRequested) else 0)
    if isinstance(event, e.ReinstallRequested | e.ActionDelayed) and event.attempt != due:
        assert timeline_only(instance, evolve(instance, event))


@law
@for_any(histories())
def test_only_what_is_due_is_held_up_and_by_its_last_try(history: Facts) -> None:
    for step in steps(history):
        delay = step.after.delay
        if delay is not None:
            assert delay.action is due(step.after)
            assert delay.number == step.after.failed_tries[delay.action]


# Law 5: an ending freezes progress and step, and nothing comes back from it.


@law
@for_any(histories())
def test_an_ending_instance_shows_for_ever_where_it_stopped(history: Facts) -> None:
    for step in steps(history):
        if step.before.status in s.ENDING and step.after.attempt == step.before.attempt:
            assert step.after.progress_percent == step.before.progress_percent
            assert step.after.step == step.before.step


@law
@for_any(histories())
def test_nothing_brings_a_terminated_instance_back(history: Facts) -> None:
    for step in steps(history):
        if step.before.status in s.GONE:
            assert step.after.status in s.GONE
            assert step.after.attempt == step.before.attempt


@law
@for_any(histories())
def test_a_failed_instance_lives_again_only_by_a_reinstall(history: Facts) -> None:
    for step in steps(history):
        if step.before.status in s.FAILURES and step.after.status in s.LIVE:
            assert isinstance(step.event, e.ReinstallRequested)


# Law 6: whatever may still exist at the provider has somebody who will release it.


@law
@for_any(histories())
def test_every_failure_is_entered_by_an_event_that_asks_for_the_release(history: Facts) -> None:
    for step in steps(history):
        if step.after.status in s.FAILURES and step.before.status not in s.FAILURES:
            excused = step.after.kept or step.after.resources.released
            assert type(step.event) in RELEASING
            assert plan(step.after, step.event) is (None if excused else Action.RELEASE)


@law
@for_any(histories())
def test_a_server_that_is_gone_is_never_on_again(history: Facts) -> None:
    for step in steps(history):
        if step.before.resources.server_gone or step.after.resources.server_gone:
            assert step.after.resources.server_gone
            assert not step.after.server_on


@law
@for_any(histories())
def test_what_makes_a_release_due_is_an_event_that_the_provisioner_hears(history: Facts) -> None:
    for step in recorded(history):
        if _release_is_due(step.after) and not _release_is_due(step.before):
            assert type(step.event) in TRIGGERS
            assert plan(step.after, step.event) is Action.RELEASE


@law
@for_any(histories(), events(tuple(TRIGGERS)))
def test_a_release_that_is_due_is_due_for_whichever_trigger_is_held(history: Facts, trigger: Event) -> None:
    instance = given(*history)
    if instance.status not in s.LIVE:
        assert plan(instance, trigger) is (Action.RELEASE if _release_is_due(instance) else None)


@law
@for_any(histories())
def test_nothing_is_archived_before_it_is_released(history: Facts) -> None:
    for step in recorded(history):
        if isinstance(step.event, e.InstanceArchived):
            assert step.after.resources.released


@law
@for_any(histories())
def test_a_live_instance_is_never_taken_for_released(history: Facts) -> None:
    for step in recorded(history):
        if step.after.status in s.LIVE:
            assert not step.after.resources.released


@law
@for_any(histories())
def test_a_release_speaks_of_the_server_that_the_instance_has(history: Facts) -> None:
    for step in steps(history):
        if step.after.resources.released and not step.before.resources.released:
            assert isinstance(step.event, e.InstanceTerminated | e.ResourcesReleased)
            assert step.before.resources.server_id in (None, step.event.server_id)


def _release_is_due(instance: Instance) -> bool:
    if instance.status is Status.TERMINATING:
        return True
    ended = instance.status in s.FAILURES | s.GONE
    return ended and not instance.kept and not instance.resources.released


# Law 7: health looks at every status in which somebody waits for it.

SEEN_BY_HEALTH: Final[Mapping[Status, bool]] = {
    Status.PROVISIONING: False,  # no address yet
    Status.BOOTING: True,
    Status.INSTALLING: True,
    Status.STARTING: True,
    Status.READY: True,
    Status.UNAVAILABLE: True,
    Status.DRAINING: True,
    Status.TERMINATING: False,
    Status.TERMINATED: False,
    Status.ARCHIVED: False,
    Status.PROVISIONING_FAILED: False,
    Status.STARTUP_FAILED: False,
    Status.FAILED: False,
}


@pytest.mark.parametrize("status", Status)
def test_every_status_is_watched_or_known_to_need_no_watch(status: Status) -> None:
    assert (status in s.WATCHED) is SEEN_BY_HEALTH[status]


def test_every_status_that_waits_for_health_is_watched() -> None:
    by_health = {e.InstanceReady, e.StartupFailed, e.HealthLost, e.HealthRestored, e.Drained}
    waiting = {status for status, moves in TRANSITIONS.items() if by_health & moves.keys()}
    assert waiting <= s.WATCHED


# And of all of them together: the journal keeps one fact once.


@law
@for_any(histories())
def test_the_journal_keeps_no_fact_twice(history: Facts) -> None:
    kept = (step.event for step in recorded(history) if type(step.event) not in f.NAMED_BY_ITS_MOMENT)
    ids = [event_id(event) for event in kept]
    assert len(ids) == len(set(ids))


# The faults that this project exists because of.


def test_a_starting_instance_never_sits_at_zero_percent() -> None:
    requested, *_, completed = h.a_starting_instance()
    instance = given(requested, f.instance_started(), completed)
    assert instance.status is Status.STARTING
    assert instance.progress_percent == 60


def test_health_watches_an_instance_that_is_installing_or_starting() -> None:
    assert {Status.INSTALLING, Status.STARTING} <= s.WATCHED


@pytest.mark.parametrize("status", sorted(s.FAILURES))
def test_no_machine_goes_on_billing_after_a_failure(status: Status) -> None:
    history = h.IN_STATUS[status]
    assert plan(given(*history), history[-1]) is Action.RELEASE
