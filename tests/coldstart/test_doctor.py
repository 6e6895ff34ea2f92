import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coldstart import doctor
from coldstart.cli import app
from coldstart.doctor import Diagnosis, examine
from coldstart.settings import StackSettings

pytestmark = pytest.mark.real


def findings(**settings: object) -> dict[str, Diagnosis]:
    found = examine(StackSettings.model_validate({"api_port": 0, **settings}))
    return {finding.subject.split()[0]: finding for finding in found}


def test_everything_that_the_stack_needs_is_looked_at(tmp_path: Path) -> None:
    found = findings(data_dir=tmp_path)
    assert set(found) == {"Python", "system", "bash", "NATS", "PostgreSQL", "port", "data", "cloud"}
    assert all(finding.fine for finding in found.values())
    assert found["cloud"].detail.startswith("SIMULATED")


def test_a_server_that_is_given_is_not_looked_for(tmp_path: Path) -> None:
    found = findings(data_dir=tmp_path, nats_url="nats://u:secret@x", database_url="postgresql://u:secret@x")
    assert "none is started" in found["NATS"].detail
    assert "none is started" in found["PostgreSQL"].detail
    assert "secret" not in str(found)


def test_a_port_that_is_taken_is_a_note(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        finding = findings(data_dir=tmp_path, api_port=taken.getsockname()[1])["port"]
    assert not finding.fine
    assert not finding.essential


def test_a_data_folder_that_cannot_be_written_to_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finding = findings(data_dir=tmp_path / "file" / "below")["data"]
    assert not finding.fine
    assert finding.essential
    assert "cannot be written to" in finding.detail


def test_a_data_folder_that_does_not_exist_yet_is_fine(tmp_path: Path) -> None:
    assert findings(data_dir=tmp_path / "to" / "be" / "made")["data"].fine


def test_scaleways_variables_mean_scaleway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCW_SECRET_KEY", "a-secret")
    missing = findings(data_dir=tmp_path)["cloud"]
    assert not missing.fine
    assert "SCW_ACCESS_KEY is not set" in missing.detail
    monkeypatch.setenv("SCW_ACCESS_KEY", "SCWXXXXXXXXXXXXXXXXX")
    monkeypatch.setenv("SCW_SECRET_KEY", "00000000-0000-4000-8000-000000000000")
    monkeypatch.setenv("SCW_DEFAULT_PROJECT_ID", "00000000-0000-4000-8000-000000000001")
    monkeypatch.setenv("SCW_API_URL", "http://127.0.0.1:9")
    unreachable = findings(data_dir=tmp_path)["cloud"]
    assert not unreachable.fine
    assert "the connection failed: check the network, and SCW_API_URL" in unreachable.detail


def test_something_essential_missing_is_exit_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLDSTART_API_PORT", "0")
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0
    monkeypatch.setattr(doctor, "_ROOM_GB", 1e9)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "missing  data folder" in result.stdout


def test_workers_without_tls_are_a_note(tmp_path: Path) -> None:
    finding = findings(data_dir=tmp_path, worker_tls="off")["workers"]
    assert not finding.fine
    assert not finding.essential
    assert "COLDSTART_WORKER_TLS" in finding.detail
