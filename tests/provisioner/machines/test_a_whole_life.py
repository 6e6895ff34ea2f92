"""The whole service with machines of one's own: from a request to a worker, and to a machine that is free again."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

from pydantic import SecretStr

from services.provisioner.app import provider_context, running
from services.provisioner.providers.machines import making
from services.provisioner.providers.machines.inventory import Inventory
from shared.bus.connection import connect
from shared.journal.journal import Journal
from shared.lifecycle import events as e
from shared.lifecycle.decide import terminate
from shared.lifecycle.fact import Action
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from shared.lifecycle.wish import Wish
from tests.provisioner.machines.conftest import listed
from tests.provisioner.machines.test_claims import files_of
from tests.provisioner.stage import quick
from tests.simulator.host.machines import SSH_PORT, Machine


class Life:
    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.instance_id = uuid4()

    async def requested(self, provider: str = "machines") -> None:
        wanted = Wish(name="mine", model="Qwen/Qwen2.5-0.5B-Instruct", provider=provider)
        fact = e.InstanceRequested(instance_id=self.instance_id, occurred_at=datetime.now(UTC), specification=wanted)
        await self.journal.request(fact, intent_id=uuid4())

    async def reached(self, *, status: Status | None = None, milestone: type[e.Event] | None = None) -> Instance:
        async with asyncio.timeout(30):
            while True:
                instance = await self.journal.load(self.instance_id)
                if instance.status is status or (milestone is not None and instance.reached(milestone)):
                    return instance
                await asyncio.sleep(0.02)  # another process's journal tells us nothing by itself

    async def reachable(self) -> None:
        await self.journal.record(
            e.SshReachable(instance_id=self.instance_id, occurred_at=datetime.now(UTC), attempt=1)
        )

    async def terminated(self) -> None:
        await self.journal.intend(self.instance_id, terminate, intent_id=uuid4(), at=datetime.now(UTC))
        await self.reached(status=Status.TERMINATED)

    async def events(self) -> list[e.Event]:
        return [recorded.event async for recorded in self.journal.history(self.instance_id)]


async def test_a_machine_is_claimed_installed_released_and_lived_on_again(nats_url: str, boxes: list[Machine]) -> None:
    price = {"hourly_price": 0.4, "currency": "EUR"}
    inventory = Inventory.model_validate({"machine": [listed(boxes[0], "desk", **price)]})
    settings = quick(
        nats_url=SecretStr(nats_url), ssh_port=SSH_PORT, lease_seconds=30.0, call_timeout_seconds=8.0,
        settle_seconds=9.0, reconcile_seconds=1.0,
    )  # fmt: skip
    connection = await connect(nats_url, "test")
    own_key = " ".join(boxes[0].host_key.export_public_key().decode().split()[:2])
    async with running(settings, [making(lambda: inventory, provider_context(settings))]):
        for _ in range(2):
            life = Life(Journal(connection, actor="test", source="/coldstart/test"))
            await life.requested()
            instance = await life.reached(milestone=e.PortsOpened)
            assert instance.resources.server_id == f"desk/{life.instance_id}"
            assert (instance.ip_address, instance.hourly_price) == (boxes[0].address, 0.4)
            assert instance.resources.own_host_key == own_key
            await life.reachable()
            await life.reached(status=Status.STARTING)
            assert "coldstart-worker" in boxes[0].host.disk.contents.containers
            await life.terminated()
            assert boxes[0].host.disk.contents.containers == {}
            assert files_of(boxes[0]) == {"gate": "", "lock": ""}
            told = await life.events()
            skipped = {type(event) for event in told if getattr(event, "skipped", False)}
            assert skipped == {e.VolumeResized, e.InstanceStarted, e.PortsOpened}
            assert not {"HostKeyRotated", "SshInstallFailed", "ServerLost"} & {event.type() for event in told}
    await connection.close()
    host_key = (boxes[0].host.disk.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
    assert host_key.split()[:2] == own_key.split()


async def test_a_machine_that_is_off_keeps_no_life_on_the_others_from_its_beginning_or_its_end(
    nats_url: str, boxes: list[Machine]
) -> None:
    inventory = Inventory.model_validate({"machine": [listed(boxes[0], "desk"), listed(boxes[1], "shelf")]})
    settings = quick(nats_url=SecretStr(nats_url), ssh_port=SSH_PORT, lease_seconds=120.0, call_timeout_seconds=30.0,
        settle_seconds=31.0,
    )  # fmt: skip
    await boxes[0].host.stop()
    connection = await connect(nats_url, "test")
    life = Life(Journal(connection, actor="test", source="/coldstart/test"))
    async with running(settings, [making(lambda: inventory, provider_context(settings))]):
        await life.requested()
        instance = await life.reached(milestone=e.PortsOpened)
        assert instance.resources.server_id == f"shelf/{life.instance_id}"
        await life.terminated()
        assert not [event for event in await life.events() if isinstance(event, e.ActionDelayed)]
        assert files_of(boxes[1]) == {"gate": "", "lock": ""}
    await connection.close()


async def test_a_provider_that_nobody_configured_fails_the_launch_and_says_which_there_are(
    nats_url: str, boxes: list[Machine]
) -> None:
    inventory = Inventory.model_validate({"machine": [listed(boxes[0], "desk")]})
    settings = quick(nats_url=SecretStr(nats_url), ssh_port=SSH_PORT)
    connection = await connect(nats_url, "test")
    life = Life(Journal(connection, actor="test", source="/coldstart/test"))
    async with running(settings, [making(lambda: inventory, provider_context(settings))]):
        await life.requested("elsewhere")
        failed = await life.reached(status=Status.PROVISIONING_FAILED)
        assert failed.error is not None
        assert (failed.error.code, "machines" in failed.error.message) == ("unknown_provider", True)

        async def waits() -> UUID | None:
            delays = [event for event in await life.events() if isinstance(event, e.ActionDelayed)]
            return next((each.instance_id for each in delays if each.action is Action.RELEASE), None)

        async with asyncio.timeout(120):
            while await waits() is None:  # noqa: ASYNC110  what is awaited is on the other side of NATS
                await asyncio.sleep(0.02)
    await connection.close()
