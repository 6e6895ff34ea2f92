"""What a run was drawn from is told by `make test`, whether it passed or failed, whichever worker ran it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SUMMARY

PLUGINS = ("-p", "tests.conftest", "-p", "no:schemathesis")


@pytest.mark.real
def test_what_a_test_records_for_the_summary_is_shown_though_it_passed(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        f"def test_one(record_property):\n    record_property({SUMMARY!r}, 'drawn from seed 7')\n"
    )
    apart = f"--basetemp={tmp_path}/base"  # by default it would clear away what other runs have left
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGINS, "-n", "1", apart, str(tmp_path / "test_one.py")],
        capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    assert "drawn from seed 7" in ran.stdout.splitlines()
