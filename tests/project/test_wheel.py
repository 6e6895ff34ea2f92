"""The wheel alone is the whole program: installed into an empty environment, it runs from an empty folder."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.owners import PROJECT

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
BIN = Path(sys.executable).parent


def run(*words: str | Path, **more: str) -> str:
    """What it prints. It has to succeed."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, env={**os.environ, **more}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`coldstart` in an environment that has the locked requirements and the wheel, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=PROJECT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("coldstart-*.whl")
    venv = folder / "venv"
    run(BIN / "uv", "venv", "--python", sys.executable, venv)
    into = (BIN / "uv", "pip", "install", "--python", venv / "bin/python")
    run(*into, "--compile-bytecode", "--require-hashes", "-r", PROJECT / "requirements.lock")
    run(*into, "--compile-bytecode", "--no-deps", wheel)
    return venv / "bin/coldstart"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in list(os.environ):
        if name.startswith(("COLDSTART_", "SCW_", "HF_", "XDG_", "PYTHON")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLDSTART_API_PORT", "0")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    yield tmp_path / "home"
    assert list((tmp_path / "empty").iterdir()) == []


def test_an_installed_wheel_launches_from_an_empty_folder_and_keeps_its_data_at_home(
    installed: Path, home: Path
) -> None:
    assert run(installed, "--version").startswith("coldstart ")
    with subprocess.Popen([installed, "up"], stdout=subprocess.PIPE, text=True) as stack:
        assert stack.stdout is not None
        said = []
        for line in stack.stdout:
            said.append(line)
            if line.startswith("Ctrl-C stops everything"):
                break
        assert stack.poll() is None, "".join(said)
        data = home / ".local/share/coldstart"
        assert f"data       {data}" in run(installed, "status")
        assert (data / "master-secret").is_file()
        launched = run(installed, "instances", "create", MODEL, "--type", "L4-1-24G", "--name", "chat", "--watch")
        assert "InstanceReady" in launched
        run(installed, "instances", "terminate", "chat", "--yes")
        with subprocess.Popen([installed, "down", "--timeout", "300"], stdout=subprocess.PIPE, text=True) as down:
            assert stack.wait(300) == 0  # until somebody waits for it, its process is there
            assert "stopped the stack" in down.communicate()[0]
