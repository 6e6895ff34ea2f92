"""Which fetches of a model's files fail."""

from simulator.host.file_failures import FileFailures
from simulator.scenario import FileError, FileFailure


def test_the_first_fetches_of_each_file_fail() -> None:
    failures = FileFailures([FileFailure(error=FileError.DROPPED, times=2)])
    assert [failures.next(path) is not None for path in ("a", "a", "b", "a", "b", "b")] == [
        True, True, True, False, True, False,
    ]  # fmt: skip


def test_a_failure_may_be_of_some_files_only_and_for_good() -> None:
    failures = FileFailures([FileFailure(error=FileError.WRONG, times=None, path=".safetensors")])
    assert failures.next("config.json") is None
    assert all(failures.next("model.safetensors") for _ in range(5))


def test_one_failure_follows_the_other() -> None:
    failures = FileFailures([FileFailure(error=FileError.UNAVAILABLE), FileFailure(error=FileError.STALLED)])
    seen = [failures.next("model.safetensors") for _ in range(3)]
    assert [failure and failure.error for failure in seen] == [FileError.UNAVAILABLE, FileError.STALLED, None]
