"""A worker that keeps ending for the same reason is given up; the reason is read from its log."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from services.health.memory import Memory, counted
from services.health.watch import verdict
from services.health.worker_causes import CAUSES, KILLED, UNKNOWN, Cause, Finding, Restart, cause_of
from services.health.worker_ends import SameEnds, after_end
from services.health.worker_log import WorkerEnd
from shared.docker import moment
from shared.lifecycle.events import StartupFailed
from shared.lifecycle.status import Status
from tests.health.examples import a_pace
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given

LOGS: Final = Path(__file__).with_name("worker_logs")
AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
ARCHITECTURE: Final = cause_of(["ValueError: Model architectures ['X'] are not supported for now."])
MEMORY: Final = cause_of(["torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."])
OFFLINE: Final = cause_of(["OSError: We couldn't connect to 'https://huggingface.co' to load the files"])
STRANGE: Final = cause_of(["Traceback (most recent call last):", "KeyError: 'layers.0x7f01.weight'"])


def ended(finding: Finding, *seconds: float, ran: float | None = None) -> SameEnds:
    """So many ends for this reason, so many seconds after the first one; the last one after having run so long."""
    ends: SameEnds | None = None
    for second in seconds:
        ends = after_end(ends, finding, an_end(second, ran), after(second))
    assert ends is not None
    return ends


def an_end(seconds: float, ran: float | None = None) -> WorkerEnd:
    return WorkerEnd(after(seconds), 1, (), None if ran is None else timedelta(seconds=ran))


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


@pytest.mark.parametrize("log", sorted(LOGS.glob("*.log")), ids=lambda log: log.stem)
def test_the_log_of_a_real_worker_shows_why_it_ended(log: Path) -> None:
    """A log is named for its version and its cause; what follows a plus distinguishes logs of the same cause."""
    cause = log.stem.partition("-")[2].partition("+")[0]
    assert cause_of(log.read_text().splitlines()).cause.code == cause


def test_every_cause_has_a_log_and_at_least_eight_are_of_a_worker_that_ran() -> None:
    told = {log.stem.partition("-")[2].partition("+")[0] for log in LOGS.glob("*.log")}
    ran = {log.stem.partition("-")[2].partition("+")[0] for log in LOGS.glob("0.*.log")}
    assert told == {cause.code for cause in CAUSES}
    assert len(ran) >= 8


@pytest.mark.parametrize(
    ("log", "tokens"),
    [
        ("0.13.0-context_too_long", 2_048),
        ("0.32.0-context_too_long", 2_048),
        ("source-no_kv_cache_room+context", 33_488),
        ("source-no_kv_cache_room", None),
        ("source-out_of_gpu_memory", None),
    ],
)
def test_the_context_that_would_have_done_is_read_where_the_worker_says_it(log: str, tokens: int | None) -> None:
    finding = cause_of((LOGS / f"{log}.log").read_text().splitlines())
    assert finding.longest_context == tokens
    memory = Memory(Status.STARTING, ends=ended(finding, 0, 20, 40))
    failed = verdict(given(*h.a_starting_instance()), memory, AT, after(60), a_pace(startup_seconds=5400))
    assert isinstance(failed, StartupFailed)
    assert failed.longest_context == tokens


@pytest.mark.parametrize(("said", "tokens"), [("33,488", 33_488), ("0", None), ("2147483648", None), (",,", None)])
def test_a_context_that_makes_no_sense_is_not_believed(said: str, tokens: int | None) -> None:
    line = (
        f"KV cache is needed, which is larger than the available KV cache. The estimated maximum model length is {said}"
    )
    assert cause_of([line]).longest_context == tokens


def test_what_no_rule_knows_is_unknown_with_its_last_error() -> None:
    finding = cause_of(
        [
            "(EngineCore pid=7) ERROR 01-01 00:00:00 [core.py:866] KeyError: 'layers'",
            "Traceback (most recent call last):",
            "RuntimeError: Engine core initialization failed. See root cause above.",
        ]
    )
    assert (finding.cause, finding.said, len(finding.excerpt)) == (UNKNOWN, "KeyError: 'layers'", 3)


@pytest.mark.parametrize(("printed", "exit_code", "cause"), [([], 137, KILLED), ([], 1, UNKNOWN), ([], None, UNKNOWN)])
def test_a_worker_that_says_nothing_is_told_by_its_exit_status(
    printed: list[str], exit_code: int | None, cause: object
) -> None:
    finding = cause_of(printed, exit_code)
    assert (finding.cause, finding.excerpt) == (cause, ())


def test_an_excerpt_has_the_line_that_tells_and_the_last_ones_and_no_more_than_an_event_holds() -> None:
    printed = [f"line {number}" for number in range(50)]
    printed[5] = "torch.OutOfMemoryError: CUDA out of memory."
    excerpt = cause_of(printed).excerpt
    assert (excerpt[5], excerpt[-1], len(excerpt)) == (printed[5], "line 49", 16)
    assert len(cause_of([f"line {number}" for number in range(50)]).excerpt) == 20


@pytest.mark.parametrize("ran", [None, 5.0, 600.0])
@pytest.mark.parametrize("cause", [cause for cause in CAUSES if cause.restart is Restart.NOTHING], ids=lambda c: c.code)
def test_what_no_restart_changes_is_final_at_its_first_end(cause: Cause, ran: float | None) -> None:
    assert ended(Finding(cause, "", ()), 0, ran=ran).in_vain(AT)


def test_the_causes_of_which_a_restart_may_change_something_are_these() -> None:
    assert {
        cause.code: cause.restart for cause in (*CAUSES, KILLED, UNKNOWN) if cause.restart is not Restart.NOTHING
    } == {
        "out_of_gpu_memory": Restart.EARLY,
        "no_gpu_found": Restart.EARLY,
        "port_taken": Restart.EARLY,
        "worker_killed": Restart.PERHAPS,
        "unknown": Restart.PERHAPS,
        "proxy_unreachable": Restart.MAY_PASS,
        "hub_unreachable": Restart.MAY_PASS,
    }


@pytest.mark.parametrize(
    ("finding", "ends", "ran", "moment", "in_vain"),
    [
        (MEMORY, [0], 59, 3000, False),
        (MEMORY, [0], 60, 0, True),
        (MEMORY, [0], None, 3000, False),
        (MEMORY, [0, 20], 20, 3000, False),
        (MEMORY, [0, 20, 40], 20, 40, True),
        (STRANGE, [0], 600, 3000, False),
        (STRANGE, [0, 59], 59, 3000, False),
        (STRANGE, [0, 60], 60, 60, True),
        (STRANGE, [0, 600], 600, 600, True),
        (STRANGE, [0, 20, 40], 20, 40, True),
        (OFFLINE, [0, 20, 40], 20, 599, False),
        (OFFLINE, [0, 20, 40], 20, 600, True),
    ],
)
def test_how_long_a_further_start_is_hoped_for(
    finding: Finding, ends: list[float], ran: float | None, moment: float, in_vain: bool
) -> None:
    assert ended(finding, *ends, ran=ran).in_vain(after(moment)) is in_vain


@pytest.mark.parametrize("finding", [ARCHITECTURE, MEMORY, STRANGE])
@pytest.mark.parametrize("load", [5.0, 20.0, 59.0, 60.0, 119.0])
def test_from_its_first_end_a_worker_that_never_starts_is_given_up_within_two_minutes(
    finding: Finding, load: float
) -> None:
    """Each start takes so long. Where a load takes longer, an unknown cause is given a second one."""
    ends: SameEnds | None = None
    for number in range(10):
        ends = after_end(ends, finding, an_end(number * load, load), after(number * load))
        if ends.in_vain(after(number * load)):
            break
    assert ends is not None
    assert ends.last - ends.first < timedelta(minutes=2)


def test_another_reason_begins_anew_and_numbers_are_no_other_reason() -> None:
    ends = ended(STRANGE, 0, 20)
    again = after_end(ends, cause_of(["KeyError: 'layers.0x9b44.weight'"]), an_end(40), after(40))
    other = after_end(ends, cause_of(["KeyError: 'vision.weight'"]), an_end(40), after(40))
    assert (again.count, again.since, other.count, other.since) == (3, AT, 1, after(40))


@pytest.mark.parametrize("status", [Status.BOOTING, Status.STARTING])
def test_a_worker_that_ends_in_vain_fails_the_start_long_before_its_limit(status: Status) -> None:
    instance = given(*h.a_starting_instance()).model_copy(update={"status": status})
    memory = Memory(status, ends=ended(MEMORY, 0, 20, 40))
    failed = verdict(instance, memory, AT, after(41), a_pace(startup_seconds=5400))
    assert isinstance(failed, StartupFailed)
    assert (failed.code, failed.output) == ("out_of_gpu_memory", MEMORY.excerpt)
    assert failed.message == (
        "The GPU's memory is too small for the model. Choose a type with more GPU memory, a quantized model, or a "
        "smaller --max-model-len. It ended 3 times, the last time with: "
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    )


def test_a_worker_that_answers_after_all_is_not_given_up_and_its_ends_are_forgotten_once_it_is_ready() -> None:
    instance, ends = given(*h.a_starting_instance()), ended(MEMORY, 0, 20, 40)
    answering = Memory(Status.STARTING, passes=1, ends=ends)
    assert verdict(instance, answering, AT, after(41), a_pace()) is None
    assert counted(answering, Status.READY).ends is None


def test_moments_are_read_as_docker_writes_them() -> None:
    assert moment("2026-01-01T00:00:00.12345678Z") == datetime(2026, 1, 1, 0, 0, 0, 123456, UTC)
    assert moment("2026-01-01T00:00:00Z") == AT
    assert moment("0001-01-01T00:00:00Z") is None
    assert moment("2026-13-01T00:00:00Z") is None
