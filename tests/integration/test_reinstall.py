"""A reinstall of a ready instance finds on its machine what the first install has left, and asks for nothing again."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from services.provisioner.install.script import PHASES
from simulator.host.network_requests import AskedOf, NetworkRequests
from tests.integration.line import MODEL, Line, line

CONTAINER: Final = "coldstart-worker"


def machine_of(folder: Path) -> Path:
    """The folder of the only simulated machine."""
    [machine] = (folder / "simulator/hosts").iterdir()
    return machine


def container_on(machine: Path) -> dict[str, Any]:
    return dict(json.loads((machine / "contents.json").read_text())["containers"][CONTAINER])


def compiled_on(machine: Path) -> set[Path]:
    """What vLLM has compiled."""
    return {path for path in (machine / "root/mnt/data/kernels").rglob("*") if path.is_file()}


async def reinstalled(running: Line, instance_id: str) -> None:
    (await running.http.post(f"/instances/{instance_id}/reinstall")).raise_for_status()
    await running.heard.until(instance_id, "InstanceReady", count=2)


def phases_of(running: Line, instance_id: str, attempt: int) -> list[str]:
    facts = [each["data"]["event"] for each in running.heard.of(instance_id)]
    return [fact["phase"] for fact in facts if "index" in fact and fact["attempt"] == attempt]


@pytest.mark.timeout(240)
async def test_a_reinstall_pulls_no_image_fetches_no_weights_and_installs_no_package(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url) as running:
        instance_id = await running.ready(model=MODEL)
        machine = machine_of(tmp_path)
        requests, worker, compiled = NetworkRequests(machine).all(), container_on(machine), compiled_on(machine)
        came = {source: sum(each.bytes for each in requests if each.source is source) for source in AskedOf}
        assert came[AskedOf.REGISTRY] > came[AskedOf.HUB] > 0
        assert {"install docker.io", "install nvidia-container-toolkit"} < {each.what for each in requests}
        assert compiled
        await reinstalled(running, instance_id)
        assert phases_of(running, instance_id, attempt=2) == [*PHASES]
        assert NetworkRequests(machine).all() == requests
        assert container_on(machine)["id"] != worker["id"]
        assert container_on(machine)["environment"]["HF_HUB_OFFLINE"] == "1"
        assert compiled_on(machine) == compiled
        await running.terminate(instance_id)
        await running.heard.until(instance_id, "InstanceTerminated")
