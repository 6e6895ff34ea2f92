"""The report of `make real` in docs/real-line.md."""

from dataclasses import replace
from pathlib import Path

from real_line.launching import seconds_of_steps
from real_line.line import Result
from real_line.report import Report

PASSED = Result("chat", "an answer", passed=True, seconds=0.31, seen="6 | 8 tokens\nin one line")
FAILED = Result("chat", "a stop", passed=False, seconds=1.0, seen="Wrong: length")


def report(version: str, *results: Result) -> Report:
    return Report(
        vllm=version,
        left_out={"n=2": "it has one GPU"},
        versions={"Docker": "20.10.24"},
        durations={"chat": {"InstanceRequested": 0.5}},
        differences={"ping": "status"},
        results=list(results),
        played={"chat": "2026-11-29 12:00 UTC"},
    )


def test_a_report_shows_versions_seconds_and_what_was_seen() -> None:
    section = report("0.32.0", PASSED, FAILED).section()
    assert "2 checks, 1 failed. chat: 2026-11-29 12:00 UTC." in section
    assert "| Docker | 20.10.24 |" in section
    assert "| InstanceRequested | 0.5 |" in section
    assert "| chat | an answer | 0.3 | 6 \\| 8 tokens in one line |" in section
    assert "| **failed**: Wrong: length |" in section
    assert "| ping | status |" in section
    assert "Left out: n=2 (it has one GPU)." in section


def test_a_later_report_replaces_that_of_its_version_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n")
    for version, result in (("0.13.0", PASSED), ("0.32.0", FAILED), ("0.32.0", PASSED)):
        report(version, result).write(page)
    text = page.read_text()
    assert text.startswith("# A page\n")
    assert (text.count("### vLLM 0.13.0"), text.count("### vLLM 0.32.0"), text.count("failed")) == (1, 1, 0)


def test_a_report_outlives_the_process_that_made_it(tmp_path: Path) -> None:
    made = report("0.32.0", PASSED, FAILED)
    made.save(tmp_path / "report.json")
    assert Report.load(tmp_path / "report.json") == made


def test_scenes_that_were_not_played_again_keep_their_results() -> None:
    pull = replace(FAILED, scene="pull")
    former = replace(report("0.32.0", FAILED, pull), durations={"pull": {"InstanceRequested": 9.0}})
    later = report("0.32.0", PASSED).over(former)
    assert later.results == [PASSED, pull]
    assert later.durations == {"pull": {"InstanceRequested": 9.0}, "chat": {"InstanceRequested": 0.5}}
    assert report("0.32.0", PASSED).over(None) == report("0.32.0", PASSED)


def test_a_run_without_any_check_has_not_passed() -> None:
    assert [report("0.32.0", *results).passed for results in ((), (PASSED,), (PASSED, FAILED))] == [False, True, False]


def test_a_step_lasts_until_the_next_one_and_is_added_up() -> None:
    moments = ("00", "02", "03", "07")
    rows = [
        {"type": "ModelLoadProgressed", "data": {"stage": stage}, "occurred_at": f"2026-11-29T10:00:{second}+00:00"}
        for stage, second in zip(("download", "download", "shards", "shards"), moments, strict=True)
    ]
    assert seconds_of_steps(rows) == {"ModelLoadProgressed (download)": 3.0, "ModelLoadProgressed (shards)": 4.0}
