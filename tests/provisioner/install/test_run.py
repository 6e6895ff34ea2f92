"""Who may run an install, and when: the real run.sh in a real bash, with an install that only prints that it ran."""

import asyncio
import os
import shlex
from pathlib import Path
from typing import Final

import psutil
import pytest

from services.provisioner.install import script
from services.provisioner.install.script import COMMAND, SUPERSEDED

ALONE: Final = """
mkdir "$COLDSTART_ROOT/inside" || { echo overlap; exit 5; }
echo run >>"$COLDSTART_ROOT/runs"
read -r -t 0.1 <> <(:) || true
rmdir "$COLDSTART_ROOT/inside"
echo ran
"""
"""An install that fails if another one runs beside it, and that takes a moment."""


async def run(root: Path, attempt: int, attempt_try: int) -> tuple[int | None, str]:
    fed = (
        f"COLDSTART_ATTEMPT={attempt}\nCOLDSTART_TRY={attempt_try}\nCOLDSTART_JOB=''\nCOLDSTART_CLAIMED_BY=''\n"
        "COLDSTART_STATE=/var/lib/coldstart\n"
        f"COLDSTART_INSTALL={shlex.quote(ALONE)}\n{script._RUN}"
    )
    process = await asyncio.create_subprocess_exec(
        *COMMAND.split(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", "COLDSTART_ROOT": str(root)},
    )
    async with asyncio.timeout(120):
        said, _ = await process.communicate(fed.encode())
    return process.returncode, said.decode()


def runs_in(root: Path) -> int:
    runs = root / "runs"
    return len(runs.read_text().splitlines()) if runs.exists() else 0


RAN: Final = (0, "ran\n", 1)
KNOWN: Final = "what was said then\n"
LATER_KNOWN: Final = (SUPERSEDED, "", 0)


@pytest.mark.parametrize(
    ("marker", "asked", "answer"),
    [
        (None, (1, 1), RAN),
        ("", (1, 1), RAN),
        ("1", (1, 1), RAN),
        ("1 1 0", (1, 1), RAN),
        ("1 1 runn", (1, 1), RAN),
        ("\0\0\0\0", (1, 1), RAN),
        ("1 1 0 1", (1, 1), (0, KNOWN, 0)),
        ("1 1 0 1", (1, 2), (0, KNOWN, 0)),
        ("1 2 0 1", (1, 1), (0, KNOWN, 0)),
        ("1 1 7 1", (1, 1), (7, KNOWN, 0)),
        ("1 1 7 1", (1, 2), RAN),
        ("1 2 7 1", (1, 1), LATER_KNOWN),
        ("1 1 running 1", (1, 1), RAN),
        ("1 1 running 1", (1, 2), RAN),
        ("1 2 running 1", (1, 1), LATER_KNOWN),
        ("1 1 0 1", (2, 1), RAN),
        ("1 3 7 1", (2, 1), RAN),
        ("1 3 running 1", (2, 1), RAN),
        ("2 1 0 1", (1, 1), LATER_KNOWN),
        ("2 1 7 1", (1, 3), LATER_KNOWN),
        ("2 1 running 1", (1, 1), LATER_KNOWN),
    ],
)
async def test_what_the_marker_says_decides_while_no_install_runs(
    tmp_path: Path, marker: str | None, asked: tuple[int, int], answer: tuple[int, str, int]
) -> None:
    state = tmp_path / "var/lib/coldstart"
    state.mkdir(parents=True)
    if marker is not None:
        (state / "marker").write_text(f"{marker}\n" if marker else "")
    if marker:
        attempt, attempt_try, *_ = (*marker.strip("\0").split(), "0", "0")
        (state / f"attempt-{attempt}-{attempt_try}.log").write_text(KNOWN)
    assert (*await run(tmp_path, *asked), runs_in(tmp_path)) == answer


async def test_of_many_callers_at_once_one_runs_the_install_and_all_hear_it(tmp_path: Path) -> None:
    answers = await asyncio.gather(*(run(tmp_path, 1, 1) for _ in range(24)))
    assert set(answers) == {(0, "ran\n")}
    assert runs_in(tmp_path) == 1


async def test_the_status_of_a_finished_install_is_told_though_its_log_is_gone(tmp_path: Path) -> None:
    state = tmp_path / "var/lib/coldstart"
    state.mkdir(parents=True)
    (state / "marker").write_text("1 1 0 1\n")
    status, said = await run(tmp_path, 1, 1)
    assert (status, said.splitlines()[-1], runs_in(tmp_path)) == (0, "The install's output cannot be read.", 0)


async def holding(file: Path) -> asyncio.subprocess.Process:
    """A process of a group of its own that has this file where an install has its lock."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", 'exec 9>>"$1"; echo; exec sleep 600', "bash", str(file)),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert await process.stdout.readline()
    return process


async def test_a_number_that_is_somebody_else_s_by_now_is_not_signalled(tmp_path: Path) -> None:
    """The marker is from before a reboot, and a process that the install left behind holds the lock."""
    state = tmp_path / "var/lib/coldstart"
    state.mkdir(parents=True)
    stranger, holder = [await holding(file) for file in (tmp_path / "its-own", state / "lock")]
    try:
        (state / "marker").write_text(f"1 1 running {stranger.pid}\n")
        signal = f'state={state}\n{script.ENDING}\nread_marker\nsignal_install KILL "$leader"'
        ended = await asyncio.create_subprocess_exec("bash", "-euc", signal)
        assert await ended.wait() == 0
        assert psutil.Process(stranger.pid).status() != psutil.STATUS_ZOMBIE
    finally:
        os.killpg(holder.pid, 9)
        stranger.kill()
        await asyncio.gather(stranger.wait(), holder.wait())
