"""What one's own machines have to let in."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.providers import names
from coldstart.settings import StackSettings
from coldstart.stack.files import SecretMissing
from coldstart.stack.stack import master_secret
from shared.secrets import Secrets

MASTER = "0123456789abcdef" * 4


def printed(*words: str) -> str:
    result = CliRunner().invoke(app, ["ssh-key", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_key_is_the_one_that_the_provisioner_signs_in_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_MASTER_SECRET", MASTER)
    assert printed() == f"{Secrets(MASTER).ssh_client_key().public} coldstart\n"


def test_outside_of_the_data_folder_there_is_no_key_and_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path / ".coldstart"))
    result = CliRunner().invoke(app, ["ssh-key"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"there is no installation in {tmp_path}/.coldstart" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_key_of_a_stack_that_never_ran_is_the_one_that_it_will_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path))
    first = printed("--new")
    secret = (tmp_path / "master-secret").read_text()
    assert first == printed("--new") == printed() == f"{Secrets(secret).ssh_client_key().public} coldstart\n"


@pytest.mark.parametrize("left", ["a journal", "an empty secret"])
def test_an_installation_that_lost_its_secret_is_not_given_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path))
    if left == "a journal":
        (tmp_path / "nats/data").mkdir(parents=True)
    else:
        (tmp_path / "master-secret").touch()
    result = CliRunner().invoke(app, ["ssh-key", "--new"])
    assert (result.exit_code, "master-secret is missing or empty" in result.stderr) == (1, True)


def test_a_stack_on_another_s_stream_needs_that_one_s_secret(tmp_path: Path) -> None:
    settings = StackSettings(data_dir=tmp_path, nats_url=SecretStr("nats://127.0.0.1:9"))
    with pytest.raises(SecretMissing, match="COLDSTART_MASTER_SECRET"):
        master_secret(settings, tmp_path)


READING = (
    ("doctor",), ("verify",), ("rebuild", "--yes"), ("console",), ("purge", "--yes"), ("instances", "list"),
    ("events", "tail"), ("deadletters", "list"), ("reconcile",), ("top",), ("ssh-key",),
)  # fmt: skip


@pytest.mark.parametrize("words", READING, ids=" ".join)
@pytest.mark.real
def test_a_command_that_only_reads_makes_no_installation_where_a_folder_is_mistyped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path / "mistyped"))
    CliRunner().invoke(app, words)
    assert list(tmp_path.iterdir()) == []


def test_machines_of_ones_own_are_no_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert names() == ""
    monkeypatch.setenv("COLDSTART_MACHINES", "machines.toml")
    assert names() == "machines in machines.toml"
    monkeypatch.setenv("SCW_SECRET_KEY", "a-secret")
    assert names() == "Scaleway and machines in machines.toml"
