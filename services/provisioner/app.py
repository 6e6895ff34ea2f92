"""The provisioner, wired: the one place that builds its adapters."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from uuid import UUID

from faststream.nats import NatsBroker
from nats.aio.client import Client

from services.provisioner.known import KnownInstances
from services.provisioner.offers import Offers
from services.provisioner.on_demand import OnDemand
from services.provisioner.perform import Perform
from services.provisioner.provider import Provider
from services.provisioner.providers.machines import Inventory, MachinesProvider
from services.provisioner.providers.scaleway import ScalewayProvider, ScalewaySettings
from services.provisioner.reconcile import Reconcile
from services.provisioner.settings import ProvisionerSettings
from services.provisioner.undertaking import Means
from shared.bus.connection import connect_options, heeding, inbox_prefix, round_trip, telling_of_a_wait
from shared.bus.dead_letters import DeadLetters
from shared.bus.lease import Leases
from shared.bus.not_understood import FailsItsInstance
from shared.bus.subscriber import Subscriber, stop_asking
from shared.bus.topology import INSTALL, LAUNCH, RELEASE
from shared.bus.topology_guard import guarded_topology
from shared.install_output import InstallOutputs
from shared.journal.journal import Journal
from shared.logs import BUS
from shared.offers.instance_types import InstanceTypes
from shared.offers.provider_status import ProviderStatuses
from shared.secrets import Secrets
from shared.ssh import SshShell

MakeProvider = Callable[[UUID], AbstractAsyncContextManager[Provider]]
"""From the installation's id, which every resource bears as a tag."""


def running(
    settings: ProvisionerSettings, scaleway: ScalewaySettings | None, machines: Inventory | None = None
) -> AbstractAsyncContextManager[Leases]:
    """Act on Scaleway, on machines that exist already, or on both, while the block runs."""
    return serving(settings, providers_of(settings, scaleway, machines))


def providers_of(
    settings: ProvisionerSettings, scaleway: ScalewaySettings | None, machines: Inventory | None
) -> list[MakeProvider]:
    timeout_s = settings.call_timeout_seconds
    make: list[MakeProvider] = []
    if scaleway is not None:
        make.append(lambda installation: ScalewayProvider(scaleway, installation, timeout_s))
    if machines is not None:
        shell = _shell(settings, Secrets(settings.master_secret.get_secret_value()))
        make.append(lambda installation: nullcontext(MachinesProvider(machines, installation, shell, timeout_s)))
    return make


@asynccontextmanager
async def serving(settings: ProvisionerSettings, make: Sequence[MakeProvider]) -> AsyncGenerator[Leases]:
    """Act while the block runs; gives every trigger back at once when it ends. Yields the leases, one for each."""
    url = settings.nats_url.get_secret_value()
    broker = NatsBroker(
        **connect_options(url, "provisioner"),
        logger=logging.getLogger(BUS),
        graceful_timeout=settings.stop_grace_seconds,
    )
    with telling_of_a_wait(url):
        connection = heeding(await broker.connect())
    jetstream = connection.jetstream()
    leases = Leases(round_trip(connection), settings.lease_seconds)
    guarding = guarded_topology(
        connection,
        replicas=settings.stream_replicas,
        ack_wait_s=settings.lease_seconds,
        installation=settings.installation,
    )
    async with guarding as guard, AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        installation = guard.identity.installation
        made = [await stack.enter_async_context(make_one(installation)) for make_one in make]
        means = _means(settings, connection, installation, {provider.name: provider for provider in made})
        perform, not_understood = Perform(means), FailsItsInstance(means.journal)
        for trigger, max_held in (
            (LAUNCH, settings.max_launching),
            (INSTALL, settings.max_installing),
            (RELEASE, settings.max_releasing),
        ):
            subscriber = Subscriber(trigger, leases, DeadLetters(jetstream), perform, not_understood)
            subscriber.attach(broker, max_held=max_held, inbox=inbox_prefix(url))
        rounds = [Reconcile(means.journal, provider, KnownInstances(connection), settings) for provider in made]
        OnDemand(rounds).attach(broker)
        instance_types = InstanceTypes(jetstream, replicas=settings.stream_replicas)
        statuses = ProviderStatuses(jetstream, replicas=settings.stream_replicas)
        owned = [
            group.create_task(leases.keep_alive()),
            *(group.create_task(each.for_ever()) for each in rounds),
            *(group.create_task(means.offers.tell(name, instance_types, statuses)) for name in means.providers),
        ]
        try:
            await broker.start()
            yield leases
        finally:
            await stop_asking(broker)
            await leases.close(settings.stop_grace_seconds)
            await broker.stop()
            for task in owned:
                task.cancel()


def _means(
    settings: ProvisionerSettings, connection: Client, installation: UUID, providers: Mapping[str, Provider]
) -> Means:
    secrets = Secrets(settings.master_secret.get_secret_value())
    return Means(
        journal=Journal(connection, actor="provisioner", source=f"/coldstart/{installation}"),
        providers=providers,
        offers=Offers(providers, settings),
        shell=_shell(settings, secrets),
        install_outputs=InstallOutputs(connection.jetstream(), replicas=settings.stream_replicas),
        secrets=secrets,
        settings=settings,
    )


def _shell(settings: ProvisionerSettings, secrets: Secrets) -> SshShell:
    return SshShell(
        client_key=secrets.ssh_client_key(),
        port=settings.ssh_port,
        connect_timeout_s=settings.connect_timeout_seconds,
        keepalive_s=settings.keepalive_seconds,
    )
