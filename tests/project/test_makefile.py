"""`make clean` is for what can be installed again."""

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"
INSTALLED = (".venv/bin/python", "tests/node/node_modules/a/index.js", ".mypy_cache/x", "shared/__pycache__/x.pyc")
RECORDED = (".coldstart/nats/data/x", ".coldstart/master-secret", ".coldstart/logs/__pycache__/x", "mine.txt")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.real
def test_clean_removes_what_was_installed_and_nothing_that_was_recorded(tmp_path: Path) -> None:
    shutil.copy(MAKEFILE, tmp_path)
    for name in (*INSTALLED, *RECORDED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["make", "--silent", "clean"], cwd=tmp_path, check=True, timeout=60)
    assert not [name for name in INSTALLED if (tmp_path / name).exists()]
    assert [name for name in RECORDED if (tmp_path / name).exists()] == list(RECORDED)
