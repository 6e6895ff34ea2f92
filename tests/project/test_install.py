"""`make` on a machine that lacks something: one sentence that says what, and what to do."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.embedded.owners import PROJECT

pytestmark = pytest.mark.real

REAL = Path(shutil.which("python3") or "")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("Makefile", "install.sh", "requirements-build.lock", "requirements.lock"):
        shutil.copy(PROJECT / name, tmp_path)
    (tmp_path / "path").mkdir()
    return tmp_path


def stand_in(clone: Path, name: str, script: str) -> None:
    program = clone / "path" / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def make(clone: Path, *words: str) -> str:
    """What it says; it has to fail."""
    done = subprocess.run(
        [shutil.which("make") or "make", *words, "up"], cwd=clone, env={"PATH": f"{clone}/path:/usr/bin:/bin"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


def test_without_a_python_it_names_the_one_that_is_needed(clone: Path) -> None:
    assert "There is no python9: install Python 3.11 or later" in make(clone, "PYTHON=python9")


def test_an_old_python_is_told_by_its_version(clone: Path) -> None:
    stand_in(clone, "python3", 'case $1 in --version) echo "Python 3.9.2";; *) exit 1;; esac')
    assert "Python 3.9.2 is too old, 3.11 or later is needed" in make(clone)


def test_a_python_without_venv_says_what_to_install(clone: Path) -> None:
    stand_in(clone, "python3", f'case $2 in *ensurepip*) exit 1;; esac; exec {REAL} "$@"')
    assert "apt-get install python3-venv" in make(clone)


def test_a_full_disk_is_told_in_megabytes(clone: Path) -> None:
    stand_in(clone, "python3", f'exec {REAL} "$@"')
    stand_in(clone, "df", 'printf "Filesystem\\n/dev/x 1 1 12000 1 /\\n"')
    assert "Only 12 MB are free here" in make(clone)


def test_a_registry_that_is_not_reached_is_a_sentence_and_the_next_make_begins_anew(clone: Path) -> None:
    pip = "echo ERROR: no route to the registry >&2; exit 1"
    venv = f"mkdir -p .venv/bin; for p in python pip; do printf '#!/bin/sh\\n{pip}\\n' > .venv/bin/$p; done"
    made = f"{venv}; chmod +x .venv/bin/*"
    stand_in(clone, "python3", f'case "$1 $2" in "-m venv") {made};; *) exec {REAL} "$@";; esac')
    for _ in range(2):
        said = make(clone)
        assert said.startswith("making .venv …\n")
        assert "Nothing could be installed: ERROR: no route to the registry" in said
        assert "look at PIP_INDEX_URL" in said


def test_a_venv_that_was_begun_and_never_finished_is_made_again(clone: Path) -> None:
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/python").symlink_to(REAL)
    stand_in(clone, "python3", f'case "$1 $2" in "-m venv") exit 1;; *) exec {REAL} "$@";; esac')
    assert "The virtual environment .venv could not be made." in make(clone)
    assert not (clone / ".venv/bin/python").exists()
