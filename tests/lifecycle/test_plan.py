"""Given an instance as it is now, when an event wakes the provisioner, then the one action that is due."""

import pytest

from shared.lifecycle import events as e
from shared.lifecycle import status as s
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Action
from shared.lifecycle.news import DONE
from shared.lifecycle.plan import INSTALLING, LAUNCHING, RELEASING, plan
from shared.lifecycle.status import Status
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts, given

LAUNCH = h.a_launch()
ROWS: list[tuple[Event, Action]] = [
    (f.instance_requested(), Action.CREATE),
    (f.instance_created(), Action.RESIZE_VOLUME),
    (f.volume_resized(), Action.POWER_ON),
    (f.instance_started(), Action.AWAIT_ADDRESS),
    (f.ip_assigned(), Action.OPEN_PORTS),
    (f.ssh_reachable(), Action.INSTALL),
]


def up_to(event: Event) -> Facts:
    """The launch until just after this event."""
    last = next(index for index, fact in enumerate(LAUNCH) if fact.type() == event.type())
    return LAUNCH[: last + 1]


@pytest.mark.parametrize(("trigger", "action"), ROWS, ids=lambda value: getattr(value, "value", type(value).__name__))
def test_each_event_of_a_launch_asks_for_the_next_action(trigger: Event, action: Action) -> None:
    assert plan(given(*up_to(trigger)), trigger) is action


@pytest.mark.parametrize(("trigger", "action"), ROWS, ids=lambda value: getattr(value, "value", type(value).__name__))
def test_an_action_whose_end_is_recorded_is_not_due_again(trigger: Event, action: Action) -> None:
    done = next(example for example in f.examples() if type(example) is DONE[action])
    assert plan(given(*up_to(trigger), done), trigger) is None


def test_an_install_that_has_begun_is_resumed() -> None:
    assert plan(given(*h.an_installing_instance()), f.ssh_reachable()) is Action.INSTALL


def test_an_install_interrupted_by_a_stop_is_resumed() -> None:
    assert plan(given(*h.an_installing_instance(), f.server_stopped()), f.ssh_reachable()) is Action.INSTALL


def test_what_was_seen_to_work_is_not_installed_again() -> None:
    assert plan(given(*h.a_launch(), f.ssh_install_started(), f.instance_ready()), f.ssh_reachable()) is None


def test_a_reinstall_asks_for_its_own_install_only() -> None:
    instance = given(*h.a_reinstalled_instance())
    assert plan(instance, f.reinstall_requested(attempt=2)) is Action.INSTALL
    assert plan(instance, f.reinstall_requested(attempt=3)) is None
    assert plan(instance, f.ssh_reachable(attempt=1)) is None


@pytest.mark.parametrize("status", sorted(s.LIVE - {Status.BOOTING, Status.INSTALLING}))
def test_nothing_is_installed_outside_booting_and_installing(status: Status) -> None:
    history = [fact for fact in h.IN_STATUS[status] if not isinstance(fact, e.SshInstallCompleted | e.InstanceReady)]
    moved = given(*history).model_copy(update={"status": status})
    assert plan(moved, f.ssh_reachable()) is None


@pytest.mark.parametrize("event", f.examples(), ids=lambda event: event.type())
def test_a_live_instance_is_never_released(event: Event) -> None:
    for status in s.LIVE:
        assert plan(given(*h.IN_STATUS[status]), event) is not Action.RELEASE


@pytest.mark.parametrize("event", f.examples(), ids=lambda event: event.type())
def test_a_terminating_instance_is_released_whatever_woke_the_provisioner(event: Event) -> None:
    assert plan(given(*h.a_terminating_instance()), event) is Action.RELEASE


@pytest.mark.parametrize(
    "history",
    [
        (*h.a_created_server(), f.provisioning_failed(action=Action.POWER_ON)),
        h.a_failed_start(),
        (*h.a_ready_instance(), f.instance_failed()),
        (*h.a_ready_instance(), f.server_lost()),
        (*h.a_ready_instance(), f.drain_requested(), f.drained()),
        (*h.a_ready_instance(), f.termination_requested()),
        (*h.a_failed_start(keep=True), f.termination_requested()),
    ],
    ids=lambda history: history[-1].type(),
)
def test_every_ending_asks_for_the_release(history: Facts) -> None:
    assert plan(given(*history), history[-1]) is Action.RELEASE


def test_a_start_that_failed_is_kept_for_inspection_when_asked_to() -> None:
    history = h.a_failed_start(keep=True)
    assert plan(given(*history), history[-1]) is None


def test_keeping_applies_to_no_other_failure() -> None:
    history = (*h.a_ready_instance(keep_for_inspection=True), f.instance_failed())
    assert plan(given(*history), history[-1]) is Action.RELEASE


@pytest.mark.parametrize(("trigger", "_action"), ROWS)
def test_an_ending_overtakes_the_launch(trigger: Event, _action: Action) -> None:
    assert plan(given(*up_to(trigger), f.instance_failed()), trigger) is Action.RELEASE
    assert plan(given(*up_to(trigger), f.termination_requested()), trigger) is Action.RELEASE


def test_a_creation_overtaken_by_a_failure_is_looked_for_though_no_server_is_known() -> None:
    assert plan(given(*h.a_failed_launch()), f.instance_requested()) is Action.RELEASE


@pytest.mark.parametrize("history", [(*h.a_failed_start(), f.resources_released()), h.a_terminated_instance()])
@pytest.mark.parametrize("event", f.examples(), ids=lambda event: event.type())
def test_a_released_instance_asks_for_nothing(history: Facts, event: Event) -> None:
    assert plan(given(*history), event) is None


@pytest.mark.parametrize(
    "revealing",
    [
        f.instance_created(server_id="late"),
        f.volume_found(volume_id="late"),
        f.volume_resized(volume_id="late"),
        f.ip_assigned(address_id="late"),
        f.security_group_found(security_group_id="late"),
        f.ports_opened(security_group_id="late"),
    ],
    ids=lambda event: event.type(),
)
@pytest.mark.parametrize(
    "history",
    [
        (*h.a_failed_start(), f.resources_released()),
        h.a_terminated_instance(),
        (f.instance_requested(), f.termination_requested(), f.instance_terminated(server_id=None)),
    ],
    ids=["a failed one", "a terminated one", "one that never had a server"],
)
def test_what_shows_up_after_the_release_is_released_too(history: Facts, revealing: Event) -> None:
    if isinstance(revealing, e.IpAssigned) and given(*history).resources.server_id is None:
        return
    assert plan(given(*history, revealing), revealing) is Action.RELEASE


def test_every_event_that_asks_for_something_is_heard_by_one_consumer() -> None:
    heard = [*LAUNCHING, *INSTALLING, *RELEASING]
    assert len(heard) == len(set(heard))


@pytest.mark.parametrize("event", f.examples(), ids=lambda event: event.type())
def test_an_event_that_no_consumer_hears_never_begins_an_action_of_a_live_instance(event: Event) -> None:
    if type(event) not in {*LAUNCHING, *INSTALLING}:
        assert all(plan(given(*h.IN_STATUS[status]), event) is None for status in s.LIVE)
