"""One instance in a real journal, a fake cloud and a fake machine, for tests of actions."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from nats.aio.client import Client
from pydantic import SecretStr

from services.provisioner.action_context import Dependencies
from services.provisioner.offers import Offers
from services.provisioner.perform import Perform
from services.provisioner.provider import Order, Server
from services.provisioner.settings import ProvisionerSettings
from shared.bus.lease import Lease
from shared.install_output import InstallOutputs
from shared.journal.journal import Journal
from shared.journal.recorded import Recorded
from shared.lifecycle import decide
from shared.lifecycle import events as e
from shared.lifecycle.instance import Instance
from shared.secrets import Secrets
from shared.worker_output import WorkerOutputs
from tests.lifecycle import facts as f
from tests.provisioner.fake_provider import FakeProvider
from tests.provisioner.fake_shell import FakeShell
from tests.provisioner.fake_weights import FakeWeights

MASTER = "0123456789abcdef" * 4


def quick(**changes: Any) -> ProvisionerSettings:
    """Production's proportions in fractions of a second."""
    fast: dict[str, Any] = {
        "master_secret": SecretStr(MASTER),
        "lease_seconds": 3.0,
        "call_timeout_seconds": 0.1,
        "tag_visibility_seconds": 0.1,
        "settle_seconds": 0.3,
        "poll_seconds": 0.01,
        "launch_tries": 3,
        "launch_deadline_seconds": 20.0,
        "backoff_seconds": 0.01,
        "longest_backoff_seconds": 0.02,
        "install_deadline_seconds": 20.0,
        "install_look_seconds": 0.03,
        "connect_timeout_seconds": 2.0,
        "key_rotation_seconds": 0.1,
        "power_off_seconds": 1.0,
        "volume_patience_seconds": 0.2,
        "detach_seconds": 1.0,
        "longest_release_backoff_seconds": 0.05,
        "reconcile_seconds": 0.1,
        "lost_after_seconds": 0.1,
        "stop_grace_seconds": 2.0,
    }
    return ProvisionerSettings(**{**fast, **changes})


class Held:
    """A message that stays unacknowledged."""

    async def in_progress(self) -> None: ...

    async def nak(self, delay: float | None = None) -> None: ...


def a_lease(*, redelivered: bool = False, fence_s: float = 60.0) -> Lease:
    return Lease(Held(), redelivered, fence_s, time.monotonic, confirmed_at=time.monotonic())


@dataclass
class Stage:
    journal: Journal
    provider: FakeProvider
    connection: Client
    settings: ProvisionerSettings = field(default_factory=quick)
    instance_id: UUID = field(default_factory=uuid4)
    weights: FakeWeights = field(default_factory=FakeWeights)

    def __post_init__(self) -> None:
        self.secrets = Secrets(MASTER)
        keys = [self.secrets.host_key(self.instance_id, number).public for number in (0, 1)]
        self.shell = FakeShell(host_key=keys[0], new_host_key=keys[1])

    @property
    def perform(self) -> Perform:
        """A new process, which remembers nothing of earlier ones."""
        return Perform(self.dependencies)

    @property
    def dependencies(self) -> Dependencies:
        providers = {self.provider.name: self.provider}
        return Dependencies(
            journal=self.journal,
            providers=providers,
            offers=Offers(providers, self.settings),
            shell=self.shell,
            install_outputs=self.outputs,
            secrets=self.secrets,
            settings=self.settings,
            worker_outputs=WorkerOutputs(self.connection.jetstream(), replicas=1),
            weights=self.weights,
        )

    @property
    def outputs(self) -> InstallOutputs:
        return InstallOutputs(self.connection.jetstream(), replicas=1)

    def with_settings(self, **changes: Any) -> None:
        self.settings = quick(**changes)

    async def requested(self, **specification: Any) -> None:
        """Findings of the admission are given by name, too."""
        fact = e.InstanceRequested(
            instance_id=self.instance_id, occurred_at=datetime.now(UTC), **f.asked(**specification)
        )
        await self.journal.request(fact, intent_id=uuid4())

    async def happened(self, fact: type[e.Event], **fields: Any) -> Instance:
        return await self.journal.record(
            fact(**{"instance_id": self.instance_id, "occurred_at": datetime.now(UTC), **fields})
        )

    async def terminated(self) -> None:
        await self.intended(decide.terminate)

    async def intended(self, decision: Callable[[Instance, datetime], e.Event]) -> None:
        await self.journal.intend(self.instance_id, decision, intent_id=uuid4(), at=datetime.now(UTC))

    async def launched(self, until: type[e.Event] = e.SshReachable, **specification: Any) -> None:
        """The provisioner itself does everything of a launch up to this fact."""
        await self.requested(**specification)
        for trigger in (e.InstanceRequested, e.InstanceCreated, e.VolumeResized, e.InstanceStarted, e.IpAssigned):
            if until is trigger:
                return
            await self.deliver(trigger)
        if until is e.SshReachable:
            await self.happened(e.SshReachable, attempt=1)

    async def launched_without_a_group(self) -> None:
        """A launch up to its address. Its server is in no group of ours, as earlier versions made it."""
        await self.requested()
        zone, kind = "zone-1", "L4-1-24G"
        made = await self.provider.create_server(Order(self.instance_id, "qwen", zone, kind, b""))
        assert isinstance(made, Server)
        await self.happened(e.InstanceCreated, server_id=made.id, zone=zone, instance_type=kind)
        for trigger in (e.InstanceCreated, e.VolumeResized, e.InstanceStarted):
            await self.deliver(trigger)

    async def trigger(self, kind: type[e.Event]) -> Recorded:
        """The last event of that kind."""
        found = [each async for each in self.journal.history(self.instance_id) if isinstance(each.event, kind)]
        return found[-1]

    async def deliver(
        self, kind: type[e.Event], *, redelivered: bool = False, lease: Lease | None = None, age_s: float = 0.0
    ) -> None:
        """Hand the trigger to a fresh process."""
        recorded = await self.trigger(kind)
        aged = replace(recorded, recorded_at=recorded.recorded_at - timedelta(seconds=age_s))
        async with asyncio.timeout(120):
            await self.perform(aged, lease or a_lease(redelivered=redelivered))

    async def instance(self) -> Instance:
        return await self.journal.load(self.instance_id)

    async def events(self, *kinds: type[e.Event]) -> list[Any]:
        history = [each.event async for each in self.journal.history(self.instance_id)]
        return [event for event in history if not kinds or isinstance(event, kinds)]

    async def told(self) -> list[str]:
        return [event.type() for event in await self.events()]

    async def until(self, good: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(120):
            while not await good():  # noqa: ASYNC110  what is awaited is in another process's journal
                await asyncio.sleep(0.01)
