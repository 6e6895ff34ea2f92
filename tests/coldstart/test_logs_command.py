from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.commands import logs
from tests.coldstart.fake_api import FakeApi, values
from tests.coldstart.told import ID, an_instance

PATH = f"/instances/{ID}"


@pytest.fixture(autouse=True)
def _reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    monkeypatch.setattr(logs, "_BETWEEN_S", 0.0)


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words)


def printed(attempt: int, install_try: int, *lines: tuple[int, str]) -> Any:
    items = [{"number": number, "at": f"2026-01-01T10:00:0{number}Z", "text": text} for number, text in lines]
    return values({"items": items, "attempt": attempt, "install_try": install_try, "next_cursor": None})


def test_logs_shows_what_was_printed_whatever_is_in_it(api: FakeApi) -> None:
    api.says("GET", f"{PATH}/logs", printed(1, 1, (1, "::phase::image_pull"), (2, "[red]abc: Pull complete")))
    result = run("instances", "logs", ID, "--tail", "2")
    assert result.exit_code == 0
    assert result.stdout == "10:00:01  ::phase::image_pull\n10:00:02  [red]abc: Pull complete\n"
    assert api.asked[-1].path == f"{PATH}/logs?tail=2"


def test_logs_that_are_followed_show_each_line_once_until_the_install_has_ended(api: FakeApi) -> None:
    statuses = ("installing", "installing", "installing", "starting")
    api.says("GET", PATH, *(values(an_instance(status)) for status in statuses))
    api.says(
        "GET",
        f"{PATH}/logs",
        values({"items": [], "attempt": None, "install_try": None, "next_cursor": None}),
        printed(1, 1, (1, "one"), (2, "two")),
        printed(1, 2, (1, "one again")),
        printed(1, 2, (1, "one again"), (2, "the last")),
    )
    result = run("instances", "logs", ID, "--follow")
    assert result.exit_code == 0
    assert [line[10:] for line in result.stdout.splitlines()] == ["one", "two", "one again", "the last"]


def test_logs_of_an_unknown_instance_are_refused(api: FakeApi) -> None:
    result = run("instances", "logs", ID)
    assert (result.exit_code, result.stdout) == (1, "")
    assert [asked.path for asked in api.asked] == [f"{PATH}/logs"]


def worker_printed(*lines: tuple[str, str], machine: tuple[str, ...] = ()) -> Any:
    items = [{"number": 1, "at": f"2026-01-01T10:00:{at}Z", "text": text} for at, text in lines]
    return values({"items": items, "attempt": 1, "install_try": None, "machine": machine, "next_cursor": None})


def test_the_log_of_a_worker_ends_with_the_state_of_its_machine(api: FakeApi) -> None:
    api.says("GET", f"{PATH}/logs", worker_printed(("01", "CUDA out of memory"), machine=("$ df -h", "/dev/vda 100%")))
    result = run("instances", "logs", ID, "--worker")
    assert result.stdout == "10:00:01  CUDA out of memory\n$ df -h\n/dev/vda 100%\n"
    assert api.asked[-1].path == f"{PATH}/logs?source=worker"


def test_the_log_of_a_worker_is_followed_until_it_has_ended_and_shows_each_line_once(api: FakeApi) -> None:
    api.says("GET", PATH, *(values(an_instance(status)) for status in ("starting", "ready", "terminated")))
    api.says(
        "GET",
        f"{PATH}/logs",
        worker_printed(("01", "one"), ("02", "two")),
        worker_printed(("02", "two"), ("02", "and two"), ("03", "three")),
        worker_printed(("02", "and two"), ("03", "three")),
    )
    result = run("instances", "logs", ID, "--worker", "--follow")
    assert [line[10:] for line in result.stdout.splitlines()] == ["one", "two", "and two", "three"]
