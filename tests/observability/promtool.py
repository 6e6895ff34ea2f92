"""Prometheus's own programs, of Debian's package `prometheus`: `.ci/run` installs it, elsewhere it may be absent."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

PROMTOOL: Final = shutil.which("promtool")
PROMETHEUS: Final = shutil.which("prometheus")


def program(found: str | None) -> str:
    """Its path. Skips the test where it is not installed, except in CI."""
    if found is None:
        if "CI" not in os.environ:
            pytest.skip("Prometheus is not installed (apt-get install prometheus)")
        pytest.fail("Prometheus is not installed")
    return found


def promtool(*words: str, said: str | None = None, folder: Path | None = None) -> str:
    """What it prints; it has to find nothing wrong."""
    command = (program(PROMTOOL), *words)
    done = subprocess.run(command, input=said, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_metrics(text: str) -> None:
    promtool("check", "metrics", said=text)
