import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coldstart import doctor
from coldstart.cli import app
from coldstart.doctor import Diagnosis, examine
from coldstart.settings import StackSettings
from shared.bus.connection import connected_once
from shared.bus.topology import apply_topology
from shared.clock import Clock
from simulator.app import Simulator
from simulator.scenario import Call, Error, Failure, Scenario
from simulator.settings import SimulatorSettings
from tests.s3_server import s3_server

pytestmark = pytest.mark.real


def findings(**settings: object) -> dict[str, Diagnosis]:
    found = examine(StackSettings.model_validate({"api_port": 0, **settings}))
    return {finding.subject.split()[0]: finding for finding in found}


def clouds(data_dir: Path) -> dict[str, Diagnosis]:
    """By what the cloud was asked."""
    found = examine(StackSettings.model_validate({"api_port": 0, "data_dir": data_dir}))
    return {each.subject.partition(", ")[2]: each for each in found if each.subject.startswith("cloud ")}


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


def test_a_mirror_of_weights_is_looked_at_if_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as s3:
        for name, value in s3.settings().items():
            monkeypatch.setenv(f"COLDSTART_{name.upper()}", value)
        fine = findings(data_dir=tmp_path)["weights"]
        assert (fine.fine, fine.detail) == (True, "s3://models/weights lets itself be listed")
        monkeypatch.setenv("COLDSTART_WEIGHTS_MIRROR_SECRET_KEY", "another-one")
        wrong = findings(data_dir=tmp_path)["weights"]
        assert (wrong.fine, wrong.essential) == (False, False)
        assert wrong.detail.endswith("check COLDSTART_WEIGHTS_MIRROR_SECRET_KEY.")
    monkeypatch.delenv("COLDSTART_WEIGHTS_MIRROR_SECRET_KEY")
    half = findings(data_dir=tmp_path)["weights"]
    assert (half.fine, half.essential) == (False, True)


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
    unreachable = clouds(tmp_path)["connection"]
    assert not unreachable.fine
    assert unreachable.essential
    assert "the connection failed: check the network, and SCW_API_URL" in unreachable.detail


async def test_a_cloud_that_is_asked_says_what_it_thinks_of_the_key_the_permissions_and_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_volumes = Failure(call=Call.LIST_VOLUMES, error=Error.PERMISSIONS_DENIED, times=None)
    scenario = Scenario(failures=(no_volumes,), quotas={"L4-1-24G": 0})
    async with Simulator(SimulatorSettings(data_dir=tmp_path / "cloud", scenario=scenario)) as simulator:
        account = simulator.settings
        monkeypatch.setenv("SCW_API_URL", simulator.url)
        monkeypatch.setenv("SCW_ACCESS_KEY", account.access_key)
        monkeypatch.setenv("SCW_SECRET_KEY", account.secret_key.get_secret_value())
        monkeypatch.setenv("SCW_DEFAULT_PROJECT_ID", str(account.project_id))
        found = await asyncio.to_thread(clouds, tmp_path)
        assert {name: (each.fine, each.essential) for name, each in found.items()} == {
            "credentials": (True, False), "project": (True, False), "permissions": (False, True),
            "zones": (True, False), "image": (True, False), "quota": (False, False),
        }  # fmt: skip
        monkeypatch.setenv("SCW_SECRET_KEY", "00000000-0000-4000-8000-000000000000")
        wrong = await asyncio.to_thread(clouds, tmp_path)
        assert list(wrong) == ["credentials"]
        assert (wrong["credentials"].fine, wrong["credentials"].essential) == (False, True)


def test_a_file_of_machines_that_is_not_there_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_MACHINES", str(tmp_path / "machines.toml"))
    found = clouds(tmp_path)["file"]
    assert (found.fine, found.essential) == (False, True)
    assert found.detail == f"COLDSTART_MACHINES: {tmp_path}/machines.toml cannot be read: No such file or directory"


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


def test_the_clock_is_compared_with_that_of_a_server_that_is_given(
    nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def declare() -> None:
        async with connected_once(nats_url) as connection:
            await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)

    assert "clock" not in findings(data_dir=tmp_path, nats_url=nats_url), "there is no stream to ask yet"
    asyncio.run(declare())
    right = findings(data_dir=tmp_path, nats_url=nats_url)["clock"]
    assert right.fine
    assert "against the event stream's server" in right.detail

    def wrong() -> Clock:
        return Clock(own=lambda: datetime.now(UTC) - timedelta(minutes=10))

    monkeypatch.setattr(doctor, "Clock", wrong)
    found = findings(data_dir=tmp_path, nats_url=nats_url)["clock"]
    assert (found.fine, found.essential) == (False, False)
    assert "s behind that of the event stream's server" in found.detail
    assert not findings(data_dir=tmp_path, nats_url="nats://127.0.0.1:1")["clock"].fine
