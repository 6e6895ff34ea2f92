"""A driver that is still being loaded is waited for, by the real functions and a clock that `sleep` moves."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

_HERE: Final = Path("services/provisioner/install")
SCRIPT: Final = "".join((_HERE / f"{name}.sh").read_text() for name in ("waiting", "driver"))
LOADING: Final = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
MISMATCH: Final = "Failed to initialize NVML: Driver/library version mismatch"
L4: Final = "NVIDIA L4, 23034 MiB, 580.65.06"
WAITED: Final = ["::waiting::the NVIDIA driver, which is not loaded yet", "::resumed::"]
NO_COMMAND: Final = 127

pytestmark = pytest.mark.real


def asked(
    folder: Path,
    *,
    fails: str = LOADING,
    status: int = 9,
    until: int = 10**6,
    up: float | None = 30.25,
    busy: str = "no",
) -> list[str]:
    """What is printed on a machine whose driver answers from second `until` on; the boot was `up` seconds ago.

    `busy`: until then it runs cloud-init, or a program that installs.
    """
    (folder / "proc").mkdir()
    tell_time = "" if up is None else f'echo "$(({int(up)} + now)).25 1.0" >"$COLDSTART_ROOT/proc/uptime"'
    told = f"""set -euo pipefail; shopt -s inherit_errexit
    export COLDSTART_ROOT={folder}
    {SCRIPT}
    now=0 wait_seconds=10
    fail() {{ echo "$*"; exit 1; }}
    tell_time() {{ {tell_time or ":"}; }}
    sleep() {{ now=$((now + $1)); tell_time; }}
    nvidia-smi() {{ if ((now < {until})); then echo "{fails}"; return {status}; else echo "{L4}"; fi; }}
    cloud-init() {{ [[ {busy} == cloud-init ]] && ((now < {until})) && echo "status: running" || echo "status: done"; }}
    pgrep() {{ [[ {busy} == dkms ]] && ((now < {until})); }}
    tell_time
    ask_driver && echo "$gpus" || echo "status $?: $gpus"
    echo "after $now s"
    """
    return subprocess.run(["bash", "-c", told], capture_output=True, text=True, check=False).stdout.splitlines()


def test_a_driver_that_answers_is_not_waited_for(tmp_path: Path) -> None:
    assert asked(tmp_path, until=0) == [L4, "after 0 s"]


def test_a_driver_is_waited_for_in_the_first_minutes_after_a_boot(tmp_path: Path) -> None:
    assert asked(tmp_path, until=120) == [*WAITED, L4, "after 120 s"]


@pytest.mark.parametrize(("busy", "status"), [("cloud-init", 9), ("dkms", 9), ("dkms", NO_COMMAND)])
def test_a_driver_is_waited_for_while_the_machine_is_being_set_up(tmp_path: Path, busy: str, status: int) -> None:
    assert asked(tmp_path, until=1800, busy=busy, status=status) == [*WAITED, L4, "after 1800 s"]


def test_a_driver_that_was_never_loaded_is_given_up_some_minutes_after_the_boot(tmp_path: Path) -> None:
    assert asked(tmp_path) == [*WAITED, f"status 9: {LOADING}", "after 270 s"]


@pytest.mark.parametrize(("up", "status"), [(86_400.0, 9), (None, 9), (30.0, NO_COMMAND)])
def test_a_machine_without_a_driver_is_not_waited_for(tmp_path: Path, up: float | None, status: int) -> None:
    assert asked(tmp_path, up=up, status=status) == [f"status {status}: {LOADING}", "after 0 s"]


def test_a_machine_that_asks_for_a_restart_is_told_to_have_one(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/reboot-required").touch()
    assert asked(tmp_path, up=86_400.0) == [
        "The NVIDIA driver is not loaded, and a restart is due. Restart this machine, and then reinstall."
    ]


def test_a_driver_that_wants_a_restart_says_so_at_once(tmp_path: Path) -> None:
    assert asked(tmp_path, fails=MISMATCH, status=18) == [
        "The NVIDIA driver was updated, and the former one is still loaded. Restart this machine, and then reinstall."
    ]
