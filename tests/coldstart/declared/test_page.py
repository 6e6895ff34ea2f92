"""docs/deployments.md works as written: what it declares is applied, with what it says that is printed."""

import re
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.declared.schema import schema
from coldstart.declared.yaml_text import documents
from tests.coldstart.fake_api import FakeApi
from tests.coldstart.fake_installation import FakeInstallation, InMemoryApi

DOCS: Final = Path(__file__).parents[3] / "docs"
PAGE: Final = (DOCS / "deployments.md").read_text().partition("## Declared in files")[2].partition("\n## ")[0]
BLOCKS: Final = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(DECLARED,) = (text for kind, text in BLOCKS if kind == "yaml")
(PRINTED,) = (text for kind, text in BLOCKS if not kind)


@pytest.fixture
def installation(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeInstallation:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    installation = FakeInstallation()
    api.otherwise = installation.answer
    return installation


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words)


def test_what_it_declares_is_applied_as_it_says_and_then_nothing_differs(
    installation: FakeInstallation, tmp_path: Path
) -> None:
    (tmp_path / "acme.yaml").write_text(DECLARED)
    InMemoryApi(installation).post("/organizations", {"slug": "acme", "insist": False})
    installation.has_key("backend", "acme")
    dry = run("apply", "-f", str(tmp_path), "--dry-run")
    assert (dry.exit_code, dry.stdout) == (0, PRINTED.rstrip() + " Nothing was changed.\n")
    applied = run("apply", "-f", str(tmp_path / "acme.yaml"))
    assert (applied.exit_code, applied.stdout[: len(PRINTED)]) == (0, PRINTED)
    assert "Nothing differs." in run("apply", "-f", str(tmp_path)).stdout


def test_its_mistake_is_told_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(DECLARED.replace("min_replicas: 1\n", "min_replicas: 5\n", 1))
    told = run("apply", "-f", str(tmp_path / "acme.yaml")).stderr.removeprefix(f"{tmp_path}/").strip()
    assert told in " ".join(PAGE.split())


def test_an_editor_finds_the_schema_that_it_names_and_accepts_all_of_it() -> None:
    place = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", DECLARED.splitlines()[0])
    assert place is not None
    assert (DOCS / place[1]).is_file()
    validator = jsonschema_rs.Draft202012Validator(schema())
    for document in documents(DECLARED):
        validator.validate(document.value)
