"""What a run of `make real` leaves behind when its first process ends: nothing."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from real_line import namespaces

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces")
LEAVES_A_CHILD = """
import pathlib, subprocess, sys
child = subprocess.Popen(["sleep", sys.argv[2]], start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(pathlib.Path("/proc/self/cgroup").read_text())
sys.exit(7)
"""
ENDS_WHEN_TOLD = """
import signal, sys, time

def end(*_):
    print("ended", flush=True)
    sys.exit(3)

signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""


@needs_root
@pytest.mark.real
def test_what_a_run_began_ends_with_it_and_its_cgroups_go(tmp_path: Path) -> None:
    told = tmp_path / "cgroups"
    child = ["sleep", f"600.{os.getpid()}"]
    assert namespaces.run_apart([sys.executable, "-c", LEAVES_A_CHILD, str(told), child[1]]) == 7
    assert f"coldstart-real-{os.getpid()}" in told.read_text()
    assert not list(Path("/sys/fs/cgroup").glob(f"**/coldstart-real-{os.getpid()}"))
    assert not [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == child]


def test_cgroups_go_from_the_innermost_outwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cgroup.procs").touch()
    (tmp_path / "ours/system.slice/docker").mkdir(parents=True)
    (tmp_path / "theirs").mkdir()
    monkeypatch.setattr(namespaces, "_CGROUPS", tmp_path)
    namespaces.remove_cgroups("ours")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cgroup.procs", "theirs"]


@needs_root
@pytest.mark.real
def test_a_run_that_is_told_to_end_does_so_itself() -> None:
    run = "import sys; from real_line.namespaces import run_apart; sys.exit(run_apart(sys.argv[1:]))"
    command = [sys.executable, "-c", run, sys.executable, "-c", ENDS_WHEN_TOLD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.stdout.readline() == "ended\n"
        assert process.wait(60) == 3
