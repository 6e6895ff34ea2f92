"""What the scene “cold start” makes of a timeline and a critical path."""

from datetime import UTC, datetime, timedelta
from typing import Any

from real_line.cold_start_result import ColdStart, Launched, LoadStep, load_steps, shown
from shared.lifecycle.critical_path import CriticalPath, Interval, LaunchOutcome

ORDERED = datetime(2026, 12, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return ORDERED + timedelta(seconds=seconds)


def interval(step: str, began: float, ended: float, *, spare: float | None = None) -> Interval:
    return Interval(
        step=step,
        label=f"the step {step}",
        percent=55,
        install_try=1,
        after=(),
        began_at=at(began),
        ended_at=at(ended),
        seconds=ended - began,
        critical=spare is None,
        slack_seconds=spare or 0,
    )


def launched(*intervals: Interval, seconds: float = 100, loading: tuple[LoadStep, ...] = ()) -> Launched:
    path = CriticalPath(
        attempt=1,
        outcome=LaunchOutcome.READY,
        began_at=ORDERED,
        ended_at=at(seconds),
        as_of=at(seconds),
        seconds=seconds,
        waits_for=None,
        intervals=intervals,
    )
    return Launched(first_token_s=seconds, path=path, loading=loading)


def row(name: str, second: float, **data: Any) -> dict[str, Any]:
    return {"type": name, "data": data, "occurred_at": at(second).isoformat()}


def test_weights_and_pull_overlap_while_both_are_under_way() -> None:
    weights = interval("weights", 10, 40, spare=20)
    assert launched(weights, interval("docker_install", 10, 25), interval("image_pull", 25, 60)).overlap_s == 15
    assert launched(weights, interval("image_pull", 40, 60)).overlap_s == 0
    assert launched(interval("image_pull", 25, 60)).overlap_s == 0


def test_a_step_of_loading_lasts_until_the_next_event_of_another_one() -> None:
    rows = [
        row("SshInstallCompleted", 5),
        row("ModelLoadProgressed", 10, stage="download"),
        row("ModelLoadProgressed", 12, stage="download"),
        row("ModelLoadProgressed", 15, stage="shards"),
        row("WorkerReachable", 17),
        row("InstanceReady", 20),
    ]
    assert load_steps(rows, ORDERED) == (
        LoadStep(name="download", began_s=10, seconds=5),
        LoadStep(name="shards", began_s=15, seconds=2),
    )


def test_a_launch_counts_what_happened_in_its_own_attempt() -> None:
    rows = [
        row("ModelLoadProgressed", -10, stage="download"),
        row("ReinstallRequested", 0),
        row("ModelLoadProgressed", 1, stage="shards"),
        row("InstanceReady", 3),
    ]
    path = launched(interval("worker_start", 0, 3)).path
    assert Launched.of(3.0, path, rows).loading == (LoadStep(name="shards", began_s=1, seconds=2),)


def test_a_reinstall_is_compared_with_the_first_install_in_the_same_way() -> None:
    measured = ColdStart(
        played="2026-12-01 00:00 UTC",
        vllm="0.32.0",
        weights_bytes=1,
        image_bytes=1,
        hub_rate=1,
        registry_rate=1,
        by_vllm=launched(seconds=400),
        by_host=launched(seconds=200),
    )
    assert measured.reinstall_ratio is None
    assert measured.model_copy(update={"reinstalled": launched(seconds=50)}).reinstall_ratio == 0.25


def test_the_steps_of_a_launch_are_shown_with_what_they_had_to_spare() -> None:
    weights = interval("weights", 10, 40, spare=20)
    step = LoadStep(name="shards", began_s=70, seconds=2.5)
    assert list(shown(launched(weights, interval("image_pull", 25, 60), loading=(step,)))) == [
        "   10.0 s +   30.0 s  the step weights (20.0 s to spare)",
        "   25.0 s +   35.0 s  the step image_pull (critical)",
        "   70.0 s +    2.5 s  vLLM: shards",
    ]
