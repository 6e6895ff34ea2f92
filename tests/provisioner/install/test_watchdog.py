"""A killed worker is started again, and one that somebody has stopped is not: the real unit's script, a told docker."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from services.provisioner.install.script import ADDED

DOCKER: Final = """#!/bin/bash
case $1 in
  events) [[ $* == *"container=coldstart-worker"* ]] && cat "$HOME/events" ;;
  inspect) cat "$HOME/status" ;;
  start) echo "$2" >>"$HOME/started" ;;
esac
"""

pytestmark = pytest.mark.real


def tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


def run(folder: Path, *command: str) -> None:
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder), "COLDSTART_ROOT": f"{folder}/root"}
    subprocess.run(command, env=environment, check=True, timeout=60)


@pytest.mark.parametrize(
    ("events", "status", "starts"),
    [
        ("die", "exited", 1),
        ("die stop", "exited", 0),
        ("stop die", "exited", 0),
        ("die", "restarting", 0),
        ("die", "running", 0),
        ("die", "", 0),
        ("", "exited", 0),
    ],
)
def test_only_a_worker_that_was_killed_is_started_again(tmp_path: Path, events: str, status: str, starts: int) -> None:
    """Docker 20.10 was seen to tell `die` after `docker kill`, and `die` and `stop` after `docker stop`."""
    tool(tmp_path, "docker", DOCKER)
    tool(tmp_path, "systemctl", "#!/bin/bash\n")
    (tmp_path / "events").write_text("".join(f"{event}\n" for event in events.split()))
    (tmp_path / "status").write_text(status)
    run(tmp_path, "bash", "-euc", f"{ADDED}\nstart_watchdog")
    unit = (tmp_path / "root/etc/systemd/system/coldstart-worker-watchdog.service").read_text()
    (command,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    run(tmp_path, *command.removeprefix("ExecStart=").split())
    started = tmp_path / "started"
    assert (started.read_text() if started.exists() else "") == "coldstart-worker\n" * starts
