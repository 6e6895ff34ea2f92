import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from coldstart.embedded import EmbeddedPostgres, UnsupportedSystemError, postgres
from coldstart.embedded.unprivileged import can_read, shared_copy
from tests.embedded.owners import KEPT, PROJECT, keep_something, owner, what_was_kept

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become someone else")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter; pytest's own are private."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@as_root
async def test_for_root_postgres_runs_as_nobody_in_a_folder_that_nobody_can_walk_to(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    async with EmbeddedPostgres(private / ".coldstart") as server:
        assert psutil.Process(server.pid).username() == "nobody"
        assert server.folder.data.owner() == "nobody"
        connection = await asyncpg.connect(server.url)
        await connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000)")
        await connection.close()
    assert private.stat().st_mode & 0o777 == 0o700
    assert (private / ".coldstart").stat().st_mode & 0o777 == 0o700


@as_root
async def test_an_unprivileged_user_runs_everything_too(open_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    python, path = _python_of(nobody)
    folder = open_folder / "mine"
    folder.mkdir()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    for _ in range(2):
        async with owner(folder, python=python, uid=nobody.pw_uid, path=path) as owned:
            assert {process.username() for process in owned.family()} == {"nobody"}
            if _ == 0:
                await keep_something(owned.nats_url, owned.database_url)
            assert await what_was_kept(owned.nats_url, owned.database_url) == KEPT


def _python_of(user: pwd.struct_passwd) -> tuple[str, str]:
    """An interpreter of this version that the user can run, and the PYTHONPATH to give it; skips without one."""
    packages = str(Path(asyncpg.__file__).parents[1])
    path = os.pathsep.join([str(PROJECT), packages])
    name = f"python3.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        try:
            subprocess.run(
                [python, "-c", "import asyncpg, nats, psutil, coldstart"],
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                env={"PYTHONPATH": path},
                cwd="/",
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return python, path
    pytest.skip(f"user {user.pw_name} can run no {name} with the project's packages")


@as_root
async def test_programs_that_nobody_can_reach_are_copied_to_where_it_can(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = pwd.getpwnam("nobody")
    account = (nobody.pw_uid, nobody.pw_gid)
    original = postgres._programs(None)
    package = original.parents[1]
    hidden = tmp_path / "hidden"
    for tree in (original, original.parent / "lib" / "postgresql", original.parent / "share"):
        shutil.copytree(tree, hidden / tree.relative_to(package.parent))
    if (package.parent / f"{package.name}.libs").exists():
        shutil.copytree(package.parent / f"{package.name}.libs", hidden / f"{package.name}.libs")
    assert not can_read(hidden / package.name, account)
    copy = shared_copy(tuple(hidden.iterdir()), hidden, "copy", open_folder / "shared")
    programs = copy / original.relative_to(package.parent)
    assert can_read(programs / "postgres", account)
    assert shared_copy((), hidden, "copy", open_folder / "shared") == copy
    monkeypatch.setattr(postgres, "_programs", lambda _: programs)
    async with EmbeddedPostgres(tmp_path / "data") as server:
        assert psutil.Process(server.pid).exe() == str(programs / "postgres")


def test_programs_that_cannot_be_copied_are_told_apart_from_a_crash(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnsupportedSystemError, match="set COLDSTART_DATABASE_URL"):
        shared_copy((), tmp_path, "copy", tmp_path / "file" / "below")
