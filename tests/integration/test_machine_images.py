"""A machine image on the whole line: made by one build, booted from by launches, deleted when nobody needs it."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from shared.secrets import Secrets
from simulator.cloud.gate import Moment, Subject
from simulator.scenario import Call, Scenario
from tests.integration.line import INSTANCE_TYPE, MASTER_SECRET, MODEL, PATIENCE_S, Changes, Line, line
from tests.integration.replicas import Replicas, replicas

ENDS: Final = ("InstanceTerminated", "ResourcesReleased")
IMAGES: Final[Changes] = {"provisioner": {"machine_images": True, "reconcile_seconds": 0.5, "settle_seconds": 2.0}}
LISTED: Final = Scenario(tag_visible=0.0)
"""A new image is in the list at once: a launch that begins before that boots from the plain one."""
LEASE: Final = {"lease_seconds": 1.5}
SWIFT: Final[Changes] = {
    "progress": LEASE,
    "health": LEASE,
    "api": LEASE,
    "provisioner": {
        **IMAGES["provisioner"],
        **LEASE,
        "call_timeout_seconds": 0.45,
        "tag_visibility_seconds": 0.2,
        "settle_seconds": 0.8,
        "launch_tries": 60,
        "install_tries": 30,
    },
}
MAKING: Final = (
    Call.POWEROFF, Call.LIST_SNAPSHOTS, Call.CREATE_SNAPSHOT, Call.LIST_IMAGES, Call.CREATE_IMAGE, Call.GET_IMAGE,
    Call.DELETE_SERVER, Call.DELETE_VOLUME,
)  # fmt: skip
DELETING: Final = (Call.UPDATE_SNAPSHOT, Call.DELETE_IMAGE, Call.DELETE_SNAPSHOT)


@dataclass
class Killer:
    """Kills whoever makes the first of these calls, then whoever makes the next one, and starts another each time."""

    moment: Moment
    due: list[Call] = field(default_factory=list)
    provisioners: Replicas | None = None

    async def on_call(self, subject: Subject, moment: Moment) -> None:
        provisioners = self.provisioners
        if provisioners is None or not self.due or (subject.call, moment) != (self.due[0], self.moment):
            return
        if subject.caller in provisioners.awake:
            del self.due[0]
            provisioners.kill(subject.caller)
            provisioners.start()


async def built(running: Line, **body: Any) -> dict[str, Any]:
    """The image, once nothing is left of the machine that it was made of."""
    answer = await running.http.post("/machine-images", json={"instance_type": INSTANCE_TYPE, **body})
    assert answer.status_code == 202, answer.text
    build = answer.json()["build"]
    await running.heard.until(build, *ENDS)
    await _shown(running, build, *ENDS)
    [image] = [each for each in await images(running) if each["build"] == build]
    return image


async def _shown(running: Line, build: str, *events: str) -> None:
    """Until the read model is as far as one of these."""
    heard = next(each for each in running.heard.of(build) if each["type"] in events)
    await running.timeline_up_to(build, heard["data"]["instance"]["version"])


async def images(running: Line) -> list[dict[str, Any]]:
    return list((await running.http.get("/machine-images")).json()["items"])


def secrets_of(build: str) -> list[bytes]:
    """Lines of everything that is derived for the machine, without what each such file begins and ends with."""
    secrets, its = Secrets(MASTER_SECRET), UUID(build)
    certificates = secrets.worker_certificates(its, 1)
    texts = (
        secrets.worker_api_key(its, 1), secrets.ssh_client_key().public, certificates.worker.private_key,
        certificates.client.private_key, *(secrets.host_key(its, number).public for number in (0, 1)),
    )  # fmt: skip
    lines = [line for text in texts for line in text.splitlines() if "-----" not in line]
    return [line.encode() for line in lines]


async def test_a_launch_boots_from_an_image_that_has_nothing_of_its_machine(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url, scenario=LISTED, changes=IMAGES) as running:
        image = await built(running)
        assert (image["state"], image["instance_type"]) == ("available", INSTANCE_TYPE)
        assert set(await running.remaining()) == {"snapshots", "images"}
        kept = [path.read_bytes() for path in (tmp_path / "simulator").rglob("*") if path.is_file()]
        assert kept
        found = [secret for secret in secrets_of(image["build"]) for content in kept if secret in content]
        assert not found
        instance_id = await running.ready()
        [created] = [each for each in running.heard.of(instance_id) if each["type"] == "InstanceCreated"]
        assert created["data"]["event"]["machine_image"] == image["id"]
        answer = await running.http.delete(f"/machine-images/{image['id']}")
        assert answer.json()["state"] == "retired"
        await running.heard.until(image["build"], "MachineImageDeleted")
        await _shown(running, image["build"], "MachineImageDeleted")
        assert not await images(running)
        await running.terminate(instance_id)
        await running.heard.until(instance_id, "InstanceTerminated")
        assert await running.remaining() == {}


async def test_a_launch_of_the_model_on_an_image_fetches_nothing(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url, scenario=LISTED, changes=IMAGES) as running:
        image = await built(running, model=MODEL)
        assert (image["model"], image["state"]) == (MODEL, "available"), running.heard.of(image["build"])[-1]
        instance_id = await running.ready(model=MODEL)
        told = [each["data"]["event"] for each in running.heard.of(instance_id)]
        assert [each["machine_image"] for each in told if "machine_image" in each] == [image["id"]]
        fetched = [(each["fetched_bytes"], each["total_bytes"]) for each in told if "fetched_bytes" in each]
        assert fetched
        assert [(here, total) for here, total in fetched if here < total] == []
        await running.terminate(instance_id)
        await running.heard.until(instance_id, "InstanceTerminated")


@pytest.mark.parametrize("moment", Moment)
async def test_a_provisioner_killed_at_every_call_makes_one_image_and_leaves_nothing_of_it(
    tmp_path: Path, nats_url: str, database_url: str, moment: Moment
) -> None:
    killer = Killer(moment)
    async with (
        line(tmp_path, nats_url, database_url, on_call=killer.on_call, changes=SWIFT, without="provisioner") as running,
        replicas(running.settings.provisioner, running.settings.scaleway, tmp_path / "provisioner.log") as provisioners,
    ):
        await running.offered()
        killer.provisioners, killer.due = provisioners, [*MAKING]
        image = await built(running)
        assert not killer.due, "calls that were never made"
        stored = [each for each in running.heard.of(image["build"]) if each["type"] == "MachineImageStored"]
        assert [each["data"]["event"]["image_id"] for each in stored] == [image["id"]]
        assert {kind: len(ids) for kind, ids in (await running.remaining()).items()} == {"snapshots": 1, "images": 1}
        killer.due = [*DELETING]
        (await running.http.delete(f"/machine-images/{image['id']}")).raise_for_status()
        await running.heard.until(image["build"], "MachineImageDeleted")
        async with asyncio.timeout(PATIENCE_S):
            while await running.remaining():
                (await running.http.post("/reconcile", json={})).raise_for_status()
        assert not killer.due, "calls that were never made"
        assert not provisioners.ended()
