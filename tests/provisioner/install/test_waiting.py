"""What the install waits for, with the real dpkg and apt, whose locks another program holds."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path("services/provisioner/install/waiting.sh").read_text()
OWN_NAME: Final = Path("/proc/self/comm").read_text().strip()
PATIENCE_S: Final = 120.0

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("apt-get"), reason="dpkg and apt let only root configure, and are Debian's"
)


@asynccontextmanager
async def running(commands: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    bash = f"set -euo pipefail; shopt -s inherit_errexit\n{SCRIPT}\nwait_seconds=0.05\n{commands}"
    process = await asyncio.create_subprocess_exec("bash", "-c", bash, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
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
    """Its lock, and how the install runs what needs it."""
    for name in ("info", "updates", "triggers"):
        (folder / name).mkdir()
    (folder / "status").touch()
    return folder / "lock-frontend", f"when_unlocked dpkg --admindir={folder} --configure -a"


def configured(folder: Path, settings: Mapping[str, object]) -> str:
    """A command after which apt has these settings."""
    (folder / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    return f"export APT_CONFIG={folder}/apt.conf"


def an_apt(folder: Path) -> tuple[Path, str]:
    (folder / "lists/partial").mkdir(parents=True)
    options = {"Dir::State": folder, "Dir::Cache": folder, "Dir::Etc::sourcelist": "/dev/null"}
    options |= {"Dir::Etc::sourceparts": "/dev/null", "Dir::State::lists": folder / "lists"}
    return folder / "lists/lock", f"{configured(folder, options)}; update_lists"


def an_install(folder: Path) -> tuple[Path, str]:
    lock, _ = a_dpkg(folder)
    options = {"Dir::State": folder, "Dir::State::status": folder / "status", "Dir::Cache": folder}
    return lock, f"{configured(folder, options)}; apt install -y"


@pytest.mark.parametrize("a_tool", [a_dpkg, an_apt, an_install])
async def test_a_lock_that_another_program_holds_is_waited_for_and_told(
    tmp_path: Path, a_tool: Callable[[Path], tuple[Path, str]]
) -> None:
    lock, command = a_tool(tmp_path)
    with lock.open("w") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        async with running(command) as process:
            told = await line(process, "::waiting::")
            assert told == f"::waiting::the package manager's lock, which {OWN_NAME} holds"
            fcntl.lockf(held, fcntl.LOCK_UN)
            assert (await lines(process))[-1] == "::resumed::"
            assert await process.wait() == 0


async def test_a_lock_that_is_held_for_five_minutes_is_waited_for_and_told_once(tmp_path: Path) -> None:
    """Bash's own clock: each wait is told on a line, and the lock is let go after three hundred seconds of them."""
    lock, command = a_dpkg(tmp_path)
    clock = 'wait_seconds=10 now=0; sleep() { now=$((now + $1)); echo "::at::$now"; ((now < 300)) || read -r; }'
    with lock.open("w") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        async with running(f"{clock}; {command}") as process:
            told = [await line(process, "::waiting::")]
            while told[-1] != "::at::300":
                told.append(await line(process, "::"))
            fcntl.lockf(held, fcntl.LOCK_UN)
            assert process.stdin is not None
            process.stdin.write(b"\n")
            told += await lines(process)
            assert await process.wait() == 0
    assert told[1:] == [*(f"::at::{second}" for second in range(10, 301, 10)), "::resumed::"]


def a_repository(folder: Path) -> Path:
    """With a package of its own, in Debian's plainest form."""
    control = folder / "package/DEBIAN/control"
    control.parent.mkdir(parents=True)
    described = "Package: wanted\nVersion: 1\nArchitecture: all\nMaintainer: somebody\nDescription: a package\n"
    control.write_text(described)
    package = folder / "wanted.deb"
    subprocess.run(["dpkg-deb", "--build", folder / "package", package], check=True, stdout=subprocess.DEVNULL)
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    listed = f"{described}Filename: ./wanted.deb\nSize: {package.stat().st_size}\nSHA256: {digest}\n"
    (folder / "Packages").write_text(listed)
    return folder


async def test_a_broken_and_an_unsigned_repository_of_somebody_else_end_no_install(tmp_path: Path) -> None:
    for name in ("lists/partial", "cache/archives/partial", "unsigned"):
        (tmp_path / name).mkdir(parents=True)
    a_dpkg(tmp_path)
    (tmp_path / "unsigned/Release").write_text("Origin: somebody\n")
    good = a_repository(tmp_path / "good")
    sources = [f"deb [trusted=yes] file:{good} ./", f"deb file:{tmp_path}/unsigned ./", f"deb file:{tmp_path}/gone ./"]
    (tmp_path / "sources.list").write_text("\n".join(sources) + "\n")
    settings = {
        "Dir::State": tmp_path, "Dir::State::status": tmp_path / "status", "Dir::State::lists": tmp_path / "lists",
        "Dir::Cache": tmp_path / "cache", "Dir::Etc::sourcelist": tmp_path / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null", "APT::Sandbox::User": "root",
    }  # fmt: skip
    install = "update_lists; apt install -y --print-uris wanted"
    async with running(f"{configured(tmp_path, settings)}; {install}") as process:
        told = await lines(process)
        assert await process.wait() == 0, told
    assert "Not every package list could be updated: going on with those that there are." in told
    assert any("is not signed" in said for said in told)
    assert any(said.startswith(f"'file:{good}/./wanted.deb'") for said in told)


async def test_a_command_that_fails_for_another_reason_fails_at_once_with_its_own_status() -> None:
    async with running("when_unlocked bash -c 'echo E: no such package; exit 100'") as process:
        assert await lines(process) == ["E: no such package"]
        assert await process.wait() == 100


async def test_apt_trusts_the_authorities_of_the_site() -> None:
    shown = 'apt-get() { echo "$*"; }; authorities=/site.pem'
    for site, option in (("", ""), ("of the site", " -o Acquire::https::CaInfo=/site.pem")):
        async with running(f"SITE_AUTHORITIES='{site}'; {shown}; apt update") as process:
            assert await lines(process) == [f"-o Acquire::Retries=3{option} update"]


@pytest.mark.parametrize(("told", "waits"), [("status: running", True), ("status: done", False)])
async def test_cloud_init_is_waited_for_while_it_runs(told: str, waits: bool) -> None:
    async with running(f"cloud-init() {{ echo '{told}'; }}; timeout() {{ :; }}; wait_for_first_boot") as process:
        assert ("::resumed::" in await lines(process)) is waits
        assert await process.wait() == 0
