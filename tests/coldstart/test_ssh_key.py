"""What one's own machines have to let in."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.settings import CloudSettings
from shared.secrets import Secrets

MASTER = "0123456789abcdef" * 4


def printed() -> str:
    result = CliRunner().invoke(app, ["ssh-key"])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_key_is_the_one_that_the_provisioner_signs_in_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_MASTER_SECRET", MASTER)
    assert printed() == f"{Secrets(MASTER).ssh_client_key().public} coldstart\n"


def test_the_key_of_a_stack_that_never_ran_is_the_one_that_it_will_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path))
    first = printed()
    secret = (tmp_path / "master-secret").read_text()
    assert first == printed() == f"{Secrets(secret).ssh_client_key().public} coldstart\n"


def test_machines_of_ones_own_are_no_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CloudSettings().names == ""
    monkeypatch.setenv("COLDSTART_MACHINES", "machines.toml")
    assert CloudSettings().names == "machines in machines.toml"
    monkeypatch.setenv("SCW_SECRET_KEY", "a-secret")
    assert CloudSettings().names == "Scaleway and machines in machines.toml"
