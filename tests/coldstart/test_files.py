import os
import stat
from pathlib import Path

import pytest

from coldstart.stack.files import NoStack, Reach, find_reach, forget_reach, made_once, write_reach


def a_reach(pid: int) -> Reach:
    return Reach("http://127.0.0.1:1", "key", "nats://x", "postgresql://x", None, pid)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_made_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    secret, new = made_once(folder, "admin-key", "cs-admin-")
    assert new
    assert secret.startswith("cs-admin-")
    assert len(secret) > 40
    assert made_once(folder, "admin-key", "cs-admin-") == (secret, False)
    assert mode(folder / "admin-key") == 0o600
    assert mode(folder) == 0o700


def test_two_installations_have_different_secrets(tmp_path: Path) -> None:
    assert made_once(tmp_path / "a", "s")[0] != made_once(tmp_path / "b", "s")[0]


def test_a_running_stack_is_found_until_it_stops(tmp_path: Path) -> None:
    write_reach(tmp_path, a_reach(os.getpid()))
    assert find_reach(tmp_path) == a_reach(os.getpid())
    assert mode(tmp_path / "stack.json") == 0o600
    forget_reach(tmp_path)
    with pytest.raises(NoStack):
        find_reach(tmp_path)


@pytest.mark.real
def test_a_stack_that_was_killed_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    write_reach(tmp_path, a_reach(pid))
    with pytest.raises(NoStack, match="coldstart up"):
        find_reach(tmp_path)
