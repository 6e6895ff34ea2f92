"""Machines that fetch a model's files over a bad network: each launch ends ready or says why, with no corrupt model."""

from pathlib import Path

from simulator.host.disk import Disk
from simulator.host.model_cache import folder, missing
from simulator.hub.models import MODELS
from simulator.scenario import FileError, FileFailure, Scenario
from tests.integration.books import FAILED
from tests.integration.line import MODEL, Changes, Line, line

BAD: tuple[FileFailure, ...] = (
    FileFailure(error=FileError.TOO_MANY_REQUESTS),
    FileFailure(error=FileError.UNAVAILABLE),
    FileFailure(error=FileError.DROPPED, times=2, path=".safetensors", megabytes=300),
    FileFailure(error=FileError.STALLED, path=".safetensors", megabytes=0),
    FileFailure(error=FileError.WRONG),
)
FEW_TRIES: Changes = {"provisioner": {"install_tries": 2, "backoff_seconds": 2.0, "longest_backoff_seconds": 2.0}}


def models_of(running: Line, server_id: str) -> Path:
    """Where its machine keeps the models of no organisation."""
    disk = Disk((running.simulator.settings.data_dir / "hosts" / server_id).absolute())
    return disk.root / "mnt/data/huggingface/shared"


async def server_of(running: Line) -> str:
    return str((await running.account())["servers"][-1]["id"])


async def test_a_launch_outlasts_a_hub_that_refuses_drops_stalls_and_lies(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    scenario = Scenario(file_failures=BAD, skips_sleep=True, retry_after=2.0, hang=0.1)
    async with line(tmp_path, nats_url, database_url, scenario=scenario) as running:
        instance_id = await running.create()
        ended = await running.heard.until(instance_id, "InstanceReady", *FAILED)
        assert ended["type"] == "InstanceReady", ended["data"]["event"]
        assert not missing(models_of(running, await server_of(running)), MODELS[MODEL])
        assert "SshInstallFailed" not in running.heard.types(instance_id)


async def test_a_file_that_is_never_right_fails_the_launch_and_is_never_linked(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    wrong = FileFailure(error=FileError.WRONG, times=None, path=".safetensors")
    scenario = Scenario(file_failures=(wrong,), skips_sleep=True)
    async with line(tmp_path, nats_url, database_url, scenario=scenario, changes=FEW_TRIES) as running:
        instance_id = await running.create()
        failed = await running.heard.until(instance_id, "SshInstallFailed")
        assert "its checksum was not that of the hub's list" in failed["data"]["event"]["reason"]
        kept = folder(models_of(running, await server_of(running)), MODELS[MODEL])
        assert ((kept / "blobs").exists(), (kept / "snapshots").exists()) == (True, False)
        ended = await running.heard.until(instance_id, "InstanceReady", *FAILED)
        assert ended["type"] == "StartupFailed"
