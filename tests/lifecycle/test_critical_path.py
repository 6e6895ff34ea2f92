"""Which steps of a launch the next one waited for."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from hypothesis import given as for_any
from hypothesis import strategies as st

from services.provisioner.install.script import PHASES as OF_THE_SCRIPT
from shared.description import Description
from shared.lifecycle.critical_path import CriticalPath, Interval, LaunchOutcome, critical_path
from shared.lifecycle.events import Event
from shared.lifecycle.fold import evolve
from shared.lifecycle.progress import PHASES
from shared.lifecycle.stretches import Moment
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.arbitrary import histories, law, recorded
from tests.lifecycle.facts import AT, Facts, given

LATER = AT + timedelta(hours=2)


def moments(history: Facts) -> Iterator[Moment]:
    """Each event of a history with the instance after it."""
    instance = given(history[0])
    yield Moment.of(history[0], instance)
    for event in history[1:]:
        instance = evolve(instance, event)
        yield Moment.of(event, instance)


def path_of(history: Facts, attempt: int = 1) -> CriticalPath:
    path = critical_path(moments(history), attempt, LATER)
    assert path is not None
    return path


def after(seconds: float, *events: Event) -> Facts:
    """The same events, so long after the beginning."""
    return tuple(event.model_copy(update={"occurred_at": AT + timedelta(seconds=seconds)}) for event in events)


def phases(*names: str, begin: float, install_try: int = 1, each: float = 10) -> Iterator[Event]:
    for number, name in enumerate(names):
        phase = f.ssh_install_phase_reached(phase=name, index=number + 1, total=len(names), install_try=install_try)
        yield from after(begin + number * each, phase)


def steps_of(path: CriticalPath) -> list[str]:
    return [interval.step for interval in path.intervals]


def critical(path: CriticalPath) -> Sequence[Interval]:
    return sorted((each for each in path.intervals if each.critical), key=lambda each: each.began_at)


def holds(path: CriticalPath) -> None:
    """What is true of any: the critical intervals cover the launch without a gap, and nothing has less than no time."""
    chain = critical(path)
    assert chain[0].began_at == path.began_at
    assert all(one.ended_at == following.began_at for one, following in pairwise(chain))
    assert chain[-1].ended_at == path.ended_at
    until = path.began_at + timedelta(seconds=path.seconds)
    lasted = sum(((each.ended_at or until) - each.began_at for each in chain), timedelta())
    assert lasted == until - path.began_at
    assert (path.waits_for is None) is (path.outcome is not LaunchOutcome.RUNNING)
    for each in path.intervals:
        assert path.began_at <= each.began_at <= (each.ended_at or until) <= until
        assert each.slack_seconds == 0 if each.critical else each.slack_seconds >= 0


def test_a_launch_waits_for_each_step_and_each_phase_of_its_install() -> None:
    path = path_of(h.a_ready_instance())
    assert steps_of(path) == [
        *("InstanceRequested", "InstanceCreated", "VolumeResized", "InstanceStarted", "IpAssigned", "PortsOpened"),
        *("SshReachable", "SshInstallStarted", *f.PHASES, "SshInstallCompleted", "ModelLoadProgressed", "ModelLoaded"),
        *("WarmupCompleted", "HealthPassed"),
    ]
    assert all(interval.critical for interval in path.intervals)
    assert (path.outcome, path.waits_for) == (LaunchOutcome.READY, None)
    began, ready = h.a_ready_instance()[0].occurred_at, h.a_ready_instance()[-1].occurred_at
    assert (path.began_at, path.ended_at, path.seconds) == (began, ready, (ready - began).total_seconds())


def test_a_running_launch_waits_for_its_last_step() -> None:
    assert path_of(h.a_launch()).waits_for == "connecting over SSH"
    installing = (*h.a_launch(), *phases("preflight", "host_key", "data_disk", "docker_install", begin=100))
    assert path_of(installing).waits_for == "installing Docker"
    assert path_of(installing).intervals[-1].ended_at is None


def test_each_try_of_an_install_has_phases_of_its_own_and_the_time_between_is_told() -> None:
    failed = after(125, f.ssh_install_failed(install_try=1))
    again = phases("preflight", "host_key", begin=140, install_try=2)
    path = path_of((*h.a_launch(), *phases("preflight", "host_key", begin=100), *failed, *again))
    told = [(each.step, each.install_try, each.seconds) for each in path.intervals[-5:-1]]
    assert told == [("preflight", 1, 10), ("host_key", 1, 15), ("SshInstallFailed", None, 15), ("preflight", 2, 10)]


def test_a_phase_that_is_told_again_begins_nothing() -> None:
    twice = (*phases("preflight", "host_key", begin=100), *phases("preflight", begin=130))
    assert steps_of(path_of((*h.a_launch(), *twice)))[-2:] == ["preflight", "host_key"]


def test_what_an_earlier_try_or_attempt_tells_late_begins_nothing() -> None:
    failed = after(125, f.ssh_install_failed(install_try=1))
    late = (*phases("preflight", "host_key", "data_disk", begin=130), *after(160, f.ssh_install_failed(install_try=1)))
    path = path_of((*h.a_launch(), *phases("preflight", begin=100), *failed, *late))
    assert steps_of(path)[-2:] == ["preflight", "SshInstallFailed"]
    begun = (*h.a_reinstalled_instance(), f.ssh_install_started(attempt=2))
    assert steps_of(path_of((*begun, f.ssh_install_failed(attempt=1)), 2))[-1] == "SshInstallStarted"


def test_between_two_tries_an_instance_waits_for_the_next_one() -> None:
    failed = (*h.a_launch(), f.ssh_install_started(), f.ssh_install_failed())
    assert Description.of(given(*failed), LATER).waits_for == path_of(failed).waits_for
    assert path_of(failed).waits_for == "waiting to try the install again"


def test_a_failed_try_that_is_told_before_its_install_began_counts() -> None:
    failed = (*h.a_launch(), f.ssh_install_failed(), f.ssh_install_started())
    assert Description.of(given(*failed), LATER).waits_for == path_of(failed).waits_for
    assert steps_of(path_of((*failed, *phases("preflight", begin=100, install_try=2))))[-1] == "preflight"


def test_a_clock_that_is_behind_makes_no_step_shorter_than_nothing() -> None:
    path = critical_path(moments(h.a_launch()), 1, AT - timedelta(hours=1))
    assert path is not None
    assert path.intervals[-1].seconds == 0


def test_a_reinstall_is_a_path_of_its_own() -> None:
    history = h.a_reinstalled_instance()
    first, second = path_of(history), path_of(history, 2)
    assert first.outcome is LaunchOutcome.READY
    assert (second.outcome, second.began_at) == (LaunchOutcome.RUNNING, history[-1].occurred_at)
    assert second.waits_for == "connecting over SSH"
    assert critical_path(moments(history), 3, LATER) is None


def test_what_failed_stops_where_it_failed() -> None:
    path = path_of(h.a_failed_start())
    assert (path.outcome, path.waits_for) == (LaunchOutcome.STOPPED, None)
    assert path.intervals[-1].ended_at == path.ended_at == h.a_failed_start()[-1].occurred_at


def test_what_happens_to_a_ready_instance_is_no_part_of_its_launch() -> None:
    ready = h.a_ready_instance()
    assert path_of((*ready, *after(9000, f.health_lost(), f.health_restored()))) == path_of(ready)


def test_a_machine_image_is_waited_for_until_it_is_stored() -> None:
    def path(history: Facts) -> CriticalPath | None:
        return critical_path(moments(history), 1, LATER, "machine_image")

    sealed, stored = path(h.a_sealed_machine()), path(h.a_stored_image())
    assert sealed is not None
    assert stored is not None
    assert (sealed.outcome, sealed.waits_for) == (LaunchOutcome.RUNNING, "storing the machine image")
    assert (stored.outcome, stored.intervals[-1].step) == (LaunchOutcome.READY, "MachineSealed")


def test_without_its_beginning_nothing_is_told() -> None:
    assert critical_path([*moments(h.a_ready_instance())][1:], 1, LATER) is None


@law
@for_any(histories(), st.integers(1, 3))
def test_whatever_happens_the_critical_steps_follow_each_other(history: Facts, attempt: int) -> None:
    path = critical_path(moments(history), attempt, LATER)
    if path is not None:
        holds(path)


@law
@for_any(histories())
def test_what_an_instance_waits_for_is_what_its_path_says(history: Facts) -> None:
    kept = (history[0], *(step.event for step in recorded(history)))
    instance = given(*kept)
    path = critical_path(moments(kept), instance.attempt, LATER, instance.specification.purpose)
    assert path is not None
    assert Description.of(instance, LATER).waits_for == path.waits_for


def test_each_phase_of_the_script_has_words() -> None:
    assert set(OF_THE_SCRIPT) <= set(PHASES)


BESIDE = ("data_disk", "docker_install", "nvidia_toolkit", "image_pull", "weights", "worker_start")
"""Ten seconds apart: the weights are fetched from 110 s on, the image is there at 140 s."""


def weights(at: float, fetched: int = 1000, install_try: int = 1) -> Facts:
    return after(at, f.weights_progressed(fetched_bytes=fetched, total_bytes=1000, install_try=install_try))


def an_install_with_weights(fetched_at: float, joined_at: float) -> CriticalPath:
    """Whose weights are all there at `fetched_at`, and whose worker starts at `joined_at`."""
    *begun, started = phases(*BESIDE, begin=100)
    facts = [*begun, *weights(112, 0), *weights(fetched_at), *after(joined_at, started)]
    return path_of((*h.a_launch(), *sorted(facts, key=lambda fact: fact.occurred_at)))


def told(path: CriticalPath) -> dict[str, tuple[float, float, float]]:
    """By step, of what came after the data disk: when it began and how long it took, and what it had to spare."""
    return {
        each.step: ((each.began_at - AT).total_seconds(), each.seconds, -1 if each.critical else each.slack_seconds)
        for each in path.intervals[steps_of(path).index("data_disk") + 1 :]
    }


def test_weights_that_come_after_the_image_are_what_the_worker_waits_for() -> None:
    path = an_install_with_weights(200, 201)
    assert told(path) == {
        "docker_install": (110, 10, 60),
        "nvidia_toolkit": (120, 10, 60),
        "image_pull": (130, 10, 60),
        "weights": (110, 90, -1),
        "weights_linked": (200, 1, -1),
        "worker_start": (201, 6999, -1),
    }
    by_step = {each.step: each.after for each in path.intervals}
    assert by_step["docker_install"] == by_step["weights"] == ("data_disk",)
    assert by_step["weights_linked"] == ("image_pull", "weights")
    assert by_step["worker_start"] == ("weights_linked",)
    holds(path)


def test_weights_that_come_before_the_image_have_time_to_spare() -> None:
    path = an_install_with_weights(125, 140)
    assert told(path) == {
        "docker_install": (110, 10, -1),
        "nvidia_toolkit": (120, 10, -1),
        "image_pull": (130, 10, -1),
        "weights": (110, 15, 15),
        "worker_start": (140, 7060, -1),
    }
    assert path.intervals[-1].after == ("image_pull", "weights")
    holds(path)


def test_while_both_are_under_way_the_image_is_waited_for_and_then_the_weights() -> None:
    *begun, waits, _ = phases(*BESIDE, begin=100)
    pulling = (*h.a_launch(), *begun, *weights(135, 300))
    waiting = (*pulling, waits)
    linking = (*waiting, *weights(190))
    assert [path_of(each).waits_for for each in (pulling, waiting, linking)] == [
        *("pulling the image", "fetching the weights", "linking the weights"),
    ]
    for each in (pulling, waiting, linking):
        holds(path_of(each))
        assert Description.of(given(*each), LATER).waits_for == path_of(each).waits_for
    assert told(path_of(waiting))["image_pull"] == (130, 10, 7060)


def test_weights_of_a_try_that_failed_end_with_it() -> None:
    again = phases(*BESIDE[:3], begin=180, install_try=2)
    facts = (*h.a_launch(), *phases(*BESIDE[:4], begin=100), *weights(135, 300))
    path = path_of((*facts, *after(150, f.ssh_install_failed()), *again, *weights(201, 1000, install_try=2)))
    first, second = (each for each in path.intervals if each.step == "weights")
    assert (first.install_try, first.seconds, first.critical, first.slack_seconds) == (1, 40, False, 0)
    assert (second.install_try, second.seconds, second.critical) == (2, 11, False)
    holds(path)


def test_weights_that_were_there_before_have_all_the_time_of_the_image_to_spare() -> None:
    *begun, started = phases(*BESIDE, begin=100)
    path = path_of((*h.a_launch(), *begun[:1], *weights(105), *begun[1:], started))
    assert told(path)["weights"] == (110, 0, 30)
    holds(path)


def test_weights_that_are_waited_for_from_now_on_are_waited_for() -> None:
    *begun, _ = phases(*BESIDE, begin=100)
    path = critical_path(moments((*h.a_launch(), *begun, *weights(135, 300))), 1, AT + timedelta(seconds=140))
    assert path is not None
    assert path.waits_for == "fetching the weights"
    holds(path)


def test_weights_are_there_once_they_are_told_to_be() -> None:
    *begun, started = phases(*BESIDE, begin=100)
    told_again = (*begun[:2], *weights(112), *weights(115, 0), *weights(118), *begun[2:], started)
    assert told(path_of((*h.a_launch(), *told_again)))["weights"] == (110, 2, 28)


def test_what_an_earlier_try_tells_of_weights_is_not_told_of_the_next_one() -> None:
    failed = (*h.a_launch(), *phases(*BESIDE[:4], begin=100), *after(150, f.ssh_install_failed()))
    again = tuple(phases(*BESIDE[:5], begin=160, install_try=2))
    assert steps_of(path_of((*failed, *weights(155)))) == steps_of(path_of(failed))
    fetched_before = (*failed[:-1], *weights(149), failed[-1], *again)
    assert path_of(fetched_before).waits_for == "fetching the weights"
    assert Description.of(given(*fetched_before), LATER).waits_for == "fetching the weights"


def test_weights_without_the_phase_that_begins_them_are_not_told() -> None:
    path = path_of((*h.a_launch(), *phases("preflight", "docker_install", begin=100), *weights(125)))
    assert steps_of(path)[-2:] == ["preflight", "docker_install"]


def test_without_word_of_the_weights_there_is_nothing_beside_the_phases() -> None:
    path = path_of((*h.a_launch(), *phases(*BESIDE, begin=100)))
    assert steps_of(path)[-6:] == [*BESIDE]
    assert all(each.critical for each in path.intervals)


@st.composite
def installs(draw: st.DrawFn) -> Facts:
    """Tries of an install that tell of weights in any order, and any facts between them."""
    told: list[Event] = []
    for install_try in (1, 2):
        told += [*phases(*BESIDE[: draw(st.integers(0, 6))], begin=0, install_try=install_try)]
        told += [f.ssh_install_failed(install_try=install_try)]
    for fact in draw(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 1000)), max_size=5)):
        told.insert(draw(st.integers(0, len(told))), *weights(0, fact[1], fact[0]))
    told = told[: draw(st.integers(0, len(told)))] + draw(st.sampled_from([[], [*h.a_warm_up(), f.instance_ready()]]))
    gaps = draw(st.lists(st.integers(-5, 60), min_size=len(told), max_size=len(told)))
    moved = (
        fact.model_copy(update={"occurred_at": AT + timedelta(seconds=100 + sum(gaps[:number]))})
        for number, fact in enumerate(told)
    )
    return (*h.a_launch(), *moved)


@law
@for_any(installs(), st.integers(0, 3000))
def test_whenever_the_weights_come_the_critical_steps_follow_each_other(history: Facts, seconds: int) -> None:
    path = critical_path(moments(history), 1, AT + timedelta(seconds=seconds))
    assert path is not None
    holds(path)
