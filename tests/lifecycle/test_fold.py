"""What an instance learns from its facts besides status and progress."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given as for_any

from shared.lifecycle import events as e
from shared.lifecycle import status as s
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Action
from shared.lifecycle.fold import evolve, fold
from shared.lifecycle.instance import Delay, Failure, Install, Instance, Volume
from shared.lifecycle.status import Status
from shared.lifecycle.transitions import TRANSITIONS
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.arbitrary import events, histories, law
from tests.lifecycle.facts import Facts, given


def test_the_request_makes_the_instance() -> None:
    instance = given(f.instance_requested())
    assert (instance.status, instance.progress_percent, instance.version) == (Status.PROVISIONING, 5, 1)
    assert instance.created_at == instance.attempt_started_at == instance.status_since == f.AT
    assert instance.progress_since == f.AT


def test_without_a_request_there_is_no_instance() -> None:
    assert fold([f.instance_created(), f.instance_ready()]) is None


def test_facts_before_the_request_say_nothing_of_it() -> None:
    assert fold([f.instance_created(), f.instance_requested()]) == given(f.instance_requested())


@law
@for_any(histories(), events())
def test_the_snapshot_of_a_history_folds_on_like_the_history_itself(history: Facts, event: Event) -> None:
    snapshot = Instance.model_validate_json(given(*history).model_dump_json())
    assert evolve(snapshot, event) == given(*history, event)


@law
@for_any(events())
def test_a_fact_is_the_same_after_a_trip_through_json(event: Event) -> None:
    assert type(event).model_validate_json(event.model_dump_json()) == event


def test_the_example_builders_cover_every_event() -> None:
    assert [type(example) for example in f.examples()] == list(e.EVENTS.values())


# Ids of what exists at the provider


def test_the_first_server_claims_the_instance_and_a_second_is_a_duplicate() -> None:
    instance = given(*h.a_created_server(), f.instance_created(server_id="another", zone="nl-ams-1"))
    assert instance.resources.server_id == f.SERVER
    assert instance.resources.duplicate_server_ids == ("another",)
    assert (instance.zone, instance.instance_type) == ("fr-par-2", "L4-1-24G")


def test_every_id_that_was_seen_is_kept() -> None:
    resources = given(*h.a_launch(), f.volume_found(volume_id="scratch")).resources
    assert resources.volumes == (Volume(id="7c11-volume", server_id=f.SERVER), Volume(id="scratch", server_id=f.SERVER))
    assert (resources.address_id, resources.security_group_ids) == ("3f0a-address", ("9d2e-group",))


def test_a_skipped_action_reveals_nothing_and_is_a_milestone_all_the_same() -> None:
    skipped = f.ports_opened(security_group_id=None, ports=(), skipped=True)
    instance = given(*h.a_created_server(), skipped)
    assert instance.resources.security_group_ids == ()
    assert instance.reached(e.PortsOpened)


@pytest.mark.parametrize("event", [f.ip_assigned(server_id="another"), f.address_changed(server_id="another")])
def test_the_address_of_a_duplicate_is_not_the_instances(event: Event) -> None:
    assert given(*h.a_created_server(), event).ip_address is None


def test_a_changed_address_is_the_address() -> None:
    assert given(*h.a_launch(), f.address_changed()).ip_address == "51.15.0.11"


def test_the_host_key_only_goes_forward() -> None:
    instance = given(*h.a_launch(), f.host_key_rotated(counter=2), f.host_key_rotated(counter=1))
    assert instance.resources.host_key == 2


# Release


@pytest.mark.parametrize("history", [h.a_terminating_instance(), h.a_failed_start(), h.a_terminated_instance()])
def test_a_release_that_saw_the_server_gone_is_believed(history: Facts) -> None:
    assert given(*history, f.instance_terminated()).resources.released
    assert given(*history, f.resources_released()).resources.released


@pytest.mark.parametrize("server_id", [None, "another"])
def test_a_release_that_did_not_see_the_recorded_server_gone_is_not_believed(server_id: str | None) -> None:
    instance = given(*h.a_failed_start(), f.resources_released(server_id=server_id))
    assert not instance.resources.released


@pytest.mark.parametrize("release", [f.resources_released, f.instance_terminated])
def test_a_release_that_began_before_the_last_resource_was_found_is_not_believed(release: Callable[..., Event]) -> None:
    pass_began = given(*h.a_failed_start())
    found = given(*h.a_failed_start(), f.volume_found(volume_id="late"))
    assert not evolve(found, release(revision=pass_began.resources.revision)).resources.released
    assert evolve(found, release(revision=found.resources.revision)).resources.released


@pytest.mark.parametrize("status", sorted(s.LIVE))
def test_a_release_says_nothing_of_a_live_instance(status: Status) -> None:
    assert not given(*h.IN_STATUS[status], f.resources_released()).resources.released


@pytest.mark.parametrize(
    "revealing",
    [
        f.instance_created(server_id="another"),
        f.volume_found(volume_id="late"),
        f.volume_resized(volume_id="late"),
        f.ip_assigned(address_id="late"),
        f.security_group_found(security_group_id="late"),
        f.ports_opened(security_group_id="late"),
    ],
    ids=lambda event: event.type(),
)
def test_a_resource_seen_after_the_release_is_to_be_released_too(revealing: Event) -> None:
    assert not given(*h.a_terminated_instance(), revealing).resources.released


def test_a_resource_known_before_the_release_changes_nothing_after_it() -> None:
    instance = given(*h.a_terminated_instance(), f.instance_created(), f.volume_found(), f.ports_opened())
    assert instance.resources.released


# The install and its tries


def test_the_install_shows_its_last_phase() -> None:
    instance = given(*h.an_installing_instance())
    assert instance.install == Install(failures=0, phase="worker", phase_index=5)


def test_the_install_shows_the_image_that_the_machine_took() -> None:
    image = "vllm/vllm-openai:v0.32.0-cu129"
    pulls = f.ssh_install_phase_reached(install_try=2, phase="image", index=4, image=image)
    starts = f.ssh_install_phase_reached(install_try=2, phase="worker", index=5)
    instance = given(*h.an_installing_instance(), f.ssh_install_failed(), pulls, starts)
    assert instance.install.image == image


def test_a_failed_try_begins_the_phases_again() -> None:
    instance = given(*h.an_installing_instance(), f.ssh_install_failed())
    assert instance.install == Install(failures=1)
    assert instance.status is Status.INSTALLING


def test_a_phase_of_an_earlier_try_is_late() -> None:
    instance = given(*h.an_installing_instance(), f.ssh_install_failed(), f.ssh_install_phase_reached())
    assert instance.install == Install(failures=1)


def test_a_failed_try_told_again_leaves_the_phases_of_the_next_one() -> None:
    second = f.ssh_install_phase_reached(install_try=2, phase="docker", index=3)
    instance = given(*h.an_installing_instance(), f.ssh_install_failed(), second, f.ssh_install_failed())
    assert instance.install == Install(failures=1, phase="docker", phase_index=3)


def test_failed_tries_are_counted_by_action() -> None:
    tries = (f.action_delayed(number=1), f.action_delayed(number=2), f.action_delayed(action=Action.POWER_ON))
    assert given(*h.a_created_server(), *tries).failed_tries == {Action.CREATE: 2, Action.POWER_ON: 1}


def test_what_holds_up_the_action_that_is_due_is_known_until_it_goes_on() -> None:
    delayed = f.action_delayed(number=2, reason="no L4 in fr-par-1")
    held_up = given(f.instance_requested(), f.action_delayed(), delayed, f.volume_found())
    assert held_up.delay == Delay(
        action=Action.CREATE, number=2, code="out_of_stock", reason="no L4 in fr-par-1", next_try_at=delayed.next_try_at
    )
    for end in (f.instance_created(), f.provisioning_failed(), f.termination_requested()):
        assert evolve(held_up, end).delay is None


def test_a_delay_that_is_told_late_or_is_older_holds_up_nothing() -> None:
    assert given(*h.a_created_server(), f.action_delayed()).delay is None
    older = given(f.instance_requested(), f.action_delayed(number=2, reason="the newer"), f.action_delayed(number=1))
    assert older.delay is not None
    assert older.delay.reason == "the newer"


def test_an_install_is_held_up_through_the_phases_of_its_next_try_and_not_by_an_earlier_attempt() -> None:
    held_up = given(*h.an_installing_instance(), f.action_delayed(action=Action.INSTALL), f.ssh_install_phase_reached())
    assert held_up.delay is not None
    assert evolve(held_up, f.action_resumed()).delay is None
    assert evolve(held_up, f.action_resumed(action=Action.CREATE)).delay == held_up.delay
    assert evolve(held_up, f.action_resumed(attempt=2)).delay == held_up.delay
    again = evolve(held_up, f.action_delayed(action=Action.INSTALL, number=2))
    assert evolve(again, f.action_resumed()).delay == again.delay
    assert evolve(held_up, f.reinstall_requested()).delay is None
    assert evolve(held_up, f.ssh_install_completed()).delay is None


def test_a_snapshot_in_which_nothing_is_held_up_is_written_as_before_anybody_kept_that() -> None:
    instance = given(*h.a_launch())
    assert "delay" not in instance.model_dump(mode="json")
    held_up = given(f.instance_requested(), f.action_delayed())
    assert Instance.model_validate(held_up.model_dump(mode="json")) == held_up


def test_a_reinstall_has_its_whole_budget_again() -> None:
    spent = (f.ssh_install_failed(), f.action_delayed(action=Action.INSTALL), f.startup_failed())
    history = (*h.an_installing_instance(keep_for_inspection=True), *spent)
    instance = given(*history, f.reinstall_requested())
    assert (instance.install, instance.failed_tries, instance.outages) == (Install(), {}, 0)
    assert (instance.error, instance.ended_at, instance.ready_at) == (None, None, None)


# Failures, outages and times

FAILURE_OF: dict[type[Event], Event] = {
    e.ProvisioningFailed: f.provisioning_failed(),
    e.StartupFailed: f.startup_failed(),
    e.InstanceFailed: f.instance_failed(),
    e.ServerLost: f.server_lost(),
}
CODE_OF: dict[type[Event], str] = {
    e.ProvisioningFailed: "out_of_stock",
    e.StartupFailed: "startup_deadline",
    e.InstanceFailed: "unavailable_too_long",
    e.ServerLost: "server_lost",
}


@pytest.mark.parametrize("status", Status)
def test_every_way_into_a_failure_says_why(status: Status) -> None:
    ways = {kind for kind, after in TRANSITIONS[status].items() if after in s.FAILURES}
    assert ways <= FAILURE_OF.keys()
    for kind in ways:
        failed = given(*h.IN_STATUS[status], FAILURE_OF[kind])
        assert failed.error is not None
        assert failed.error.code == CODE_OF[kind]
        assert failed.error.message


def test_a_failure_keeps_its_reason_through_termination() -> None:
    instance = given(*h.a_failed_launch(), f.termination_requested(), f.instance_terminated(server_id=None))
    assert instance.error == Failure(code="out_of_stock", message="No zone has an L4.")


def test_outages_are_counted_within_the_attempt() -> None:
    again = (f.health_restored(), f.health_lost(outage=2))
    assert given(*h.IN_STATUS[Status.UNAVAILABLE], *again).outages == 2
    assert given(*h.IN_STATUS[Status.UNAVAILABLE], f.reinstall_requested()).outages == 0


def test_times_say_when_the_instance_was_ready_and_when_it_ended() -> None:
    requested, *_ = ready = h.a_ready_instance()
    later = ready[-1].occurred_at + timedelta(hours=1)
    instance = given(*ready, f.termination_requested(occurred_at=later))
    assert instance.created_at == requested.occurred_at
    assert instance.ready_at == ready[-1].occurred_at
    assert instance.status_since == instance.ended_at == later


def test_a_reinstall_has_its_own_times() -> None:
    later = f.AT + timedelta(hours=1)
    instance = given(*h.a_ready_instance(), f.reinstall_requested(occurred_at=later))
    assert instance.attempt_started_at == instance.status_since == instance.progress_since == later
    assert instance.ready_at is None
    assert instance.created_at == f.AT


def test_progress_is_dated_by_the_fact_that_raised_it() -> None:
    *before, last = h.a_launch()
    later = last.occurred_at + timedelta(hours=1)
    still_there = (f.volume_found(volume_id="late", occurred_at=later), last.model_copy(update={"occurred_at": later}))
    assert given(*before, last, *still_there).progress_since == last.occurred_at
    assert given(*before, last, f.ssh_install_started(occurred_at=later)).progress_since == later


def test_an_outage_does_not_change_when_the_instance_was_ready() -> None:
    ready = h.a_ready_instance()
    later = ready[-1].occurred_at + timedelta(hours=1)
    instance = given(*ready, f.health_lost(), f.health_restored(occurred_at=later))
    assert instance.ready_at == ready[-1].occurred_at


def test_a_late_fact_does_not_turn_the_clock_back() -> None:
    ready = h.a_ready_instance()
    assert given(*ready, f.volume_found(volume_id="late")).updated_at == ready[-1].occurred_at


def test_only_a_failed_start_is_kept_for_inspection() -> None:
    assert given(*h.a_failed_start(keep=True)).kept
    assert not given(*h.a_failed_start()).kept
    assert not given(*h.a_failed_launch(keep_for_inspection=True)).kept
    assert not given(*h.a_ready_instance(keep_for_inspection=True), f.server_lost()).kept
    assert not given(*h.a_failed_start(keep=True), f.server_lost()).kept


def test_the_longest_context_is_what_the_current_attempt_s_worker_told() -> None:
    told = (*h.a_launch(), f.model_loaded(max_model_len=2048), f.instance_ready())
    assert given(*h.a_launch(), f.model_loaded()).max_model_len is None
    assert given(*told).max_model_len == 2048
    assert given(*told, f.model_loaded(attempt=2, max_model_len=512)).max_model_len == 2048
    again = (*told, f.reinstall_requested(attempt=2))
    assert given(*again).max_model_len is None
    assert given(*again, f.model_loaded(attempt=2, max_model_len=512)).max_model_len == 512


def test_the_context_that_would_have_done_is_what_the_worker_of_the_failed_attempt_said() -> None:
    failed = (*h.a_starting_instance(keep_for_inspection=True), f.startup_failed(longest_context=33_488))
    assert given(*failed).longest_context == 33_488
    assert given(*failed, f.reinstall_requested(attempt=2)).longest_context is None
    assert "longest_context" not in given(*h.a_starting_instance(), f.startup_failed()).model_dump()


def test_the_version_of_vllm_is_what_the_current_attempt_s_worker_told() -> None:
    told = (*h.a_launch(), f.warmup_completed(vllm_version="0.32.0"), f.instance_ready())
    assert given(*told).vllm_version == "0.32.0"
    assert "vllm_version" not in given(*h.a_ready_instance()).model_dump(), "it was not asked for, or did not answer"
    again = (*told, f.reinstall_requested(attempt=2))
    assert given(*again).vllm_version is None
    assert given(*again, f.warmup_completed(vllm_version="0.13.0")).vllm_version is None, "that is the former attempt's"


def test_what_was_recorded_before_the_longest_context_was_asked_for_is_read() -> None:
    recorded = f.model_loaded().model_dump(mode="json", exclude={"max_model_len"})
    assert e.ModelLoaded.model_validate(recorded).max_model_len is None


def test_how_a_worker_is_talked_to_is_what_its_attempt_began_with() -> None:
    secured = f.ssh_install_started(worker_tls="mutual")
    assert given(*h.a_launch()).worker_tls == "off"
    assert given(*h.a_launch(), secured).worker_tls == "mutual"
    assert given(*h.a_launch(), secured, f.ssh_install_started(worker_tls="off")).worker_tls == "mutual"
    assert given(*h.a_launch(), f.ssh_install_started(attempt=2, worker_tls="mutual")).worker_tls == "off"


def test_a_reinstall_may_change_how_the_worker_is_talked_to() -> None:
    before = (*h.a_launch(), f.ssh_install_started(worker_tls="mutual"), f.instance_ready())
    again = (*before, f.reinstall_requested(attempt=2))
    assert given(*again).worker_tls == "off"
    assert given(*again, f.ssh_install_started(attempt=2, worker_tls="mutual")).worker_tls == "mutual"


def test_an_attempt_that_began_before_there_was_tls_is_talked_to_in_plain_http() -> None:
    recorded = f.ssh_install_started().model_dump(mode="json", exclude={"worker_tls"})
    assert e.SshInstallStarted.model_validate(recorded).worker_tls == "off"
    snapshot = given(*h.a_launch()).model_dump(mode="json", exclude={"worker_tls"})
    assert Instance.model_validate(snapshot).worker_tls == "off"
