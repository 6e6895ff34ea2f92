"""A test that passes for pure and is not fails, and says what to do: else `make test-fast` would be slow one day."""

import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = ("-p", "tests.conftest", "-p", "no:schemathesis")
TESTS = """
import asyncio, os, socket, subprocess

def test_a_process():
    subprocess.run(["true"])

def test_a_connection():
    socket.create_connection(("127.0.0.1", 9))

def test_a_loop():
    asyncio.run(asyncio.sleep(0))
"""


@pytest.mark.real
def test_what_starts_a_process_or_a_connection_is_not_pure(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    apart = f"--basetemp={tmp_path}/base"  # by default it would clear away what other runs have left
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGINS, "-m", "pure", "-rA", apart, str(tmp_path / "test_some.py")],
        capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr
    assert ran.stdout.count("in a test that passes for pure: mark it `real`") >= 2
    assert "2 failed" in ran.stdout
