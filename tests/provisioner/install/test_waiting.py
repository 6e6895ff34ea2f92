"""What the install waits for, with the real dpkg and apt, whose locks another program holds."""

import asyncio
import fcntl
import os
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path("services/provisioner/install/waiting.sh").read_text()
OWN_NAME: Final = Path("/proc/self/comm").read_text().strip()
PATIENCE_S: Final = 60.0

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("apt-get"), reason="dpkg and apt let only root configure, and are Debian's"
)


@asynccontextmanager
async def running(commands: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    bash = f"set -euo pipefail; shopt -s inherit_errexit\n{SCRIPT}\nwait_seconds=0.05\n{commands}"
    process = await asyncio.create_subprocess_exec("bash", "-c", bash, stdout=PIPE, stderr=STDOUT)
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def lines(process: asyncio.subprocess.Process) -> list[str]:
    assert process.stdout is not None
    return (await process.stdout.read()).decode().splitlines()


async def line(process: asyncio.subprocess.Process, beginning: str) -> str:
    assert process.stdout is not None
    while not (told := (await process.stdout.readline()).decode()).startswith(beginning):
        assert told, f"no {beginning}"
    return told.strip()


def a_dpkg(folder: Path) -> tuple[Path, str]:
    """Its lock, and a command that needs it."""
    for name in ("info", "updates", "triggers"):
        (folder / name).mkdir()
    (folder / "status").touch()
    return folder / "lock-frontend", f"dpkg --admindir={folder} --configure -a"


def an_apt(folder: Path) -> tuple[Path, str]:
    (folder / "lists/partial").mkdir(parents=True)
    options = {"Dir::State": folder, "Dir::Cache": folder, "Dir::Etc::sourcelist": "/dev/null"}
    options |= {"Dir::Etc::sourceparts": "/dev/null", "Dir::State::lists": folder / "lists"}
    return folder / "lists/lock", f"apt-get {' '.join(f'-o {name}={value}' for name, value in options.items())} update"


@pytest.mark.parametrize("a_tool", [a_dpkg, an_apt])
async def test_a_lock_that_another_program_holds_is_waited_for_and_told(
    tmp_path: Path, a_tool: Callable[[Path], tuple[Path, str]]
) -> None:
    lock, command = a_tool(tmp_path)
    with lock.open("w") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        async with running(f"when_unlocked {command}") as process:
            told = await line(process, "::waiting::")
            assert told == f"::waiting::the package manager's lock, which {OWN_NAME} holds"
            fcntl.lockf(held, fcntl.LOCK_UN)
            assert (await lines(process))[-1] == "::resumed::"
            assert await process.wait() == 0


async def test_a_command_that_fails_for_another_reason_fails_at_once_with_its_own_status() -> None:
    async with running("when_unlocked bash -c 'echo E: no such package; exit 100'") as process:
        assert await lines(process) == ["E: no such package"]
        assert await process.wait() == 100


@pytest.mark.parametrize(("told", "waits"), [("status: running", True), ("status: done", False)])
async def test_cloud_init_is_waited_for_while_it_runs(told: str, waits: bool) -> None:
    async with running(f"cloud-init() {{ echo '{told}'; }}; timeout() {{ :; }}; wait_for_first_boot") as process:
        assert ("::resumed::" in await lines(process)) is waits
        assert await process.wait() == 0
