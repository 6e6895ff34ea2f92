"""The provisioner, wired: the one place that builds its adapters."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from services.provisioner.action_context import Dependencies
from services.provisioner.offers import Offers
from services.provisioner.perform import Perform
from services.provisioner.provider import Provider
from services.provisioner.providers.registration import MakeProvider, ProviderContext
from services.provisioner.reconciliation.hand_over import HandOver
from services.provisioner.reconciliation.known import KnownInstances
from services.provisioner.reconciliation.on_demand import OnDemand
from services.provisioner.reconciliation.reconcile import Reconcile
from services.provisioner.settings import ProvisionerSettings
from services.provisioner.weights.hub import HubWeights
from services.provisioner.weights.mirror_first import MirrorFirst
from services.provisioner.weights.source import WeightsSource
from services.provisioner.worker_output import WorkerOutputOnDemand
from shared.bus.lease import Leases
from shared.bus.start_up import Holder, holder
from shared.bus.topology import INSTALL, LAUNCH, RELEASE
from shared.install_output import InstallOutputs
from shared.offers.instance_types import InstanceTypes
from shared.offers.provider_status import ProviderStatuses
from shared.secrets import Secrets
from shared.settings import HUB
from shared.ssh import SshShell
from shared.worker_output import WorkerOutputs
from shared.worker_tls import warn_if_off


@asynccontextmanager
async def running(settings: ProvisionerSettings, make: Sequence[MakeProvider]) -> AsyncGenerator[Leases]:
    """Act while the block runs. At its end, return every trigger at once. Yields the leases, one for each trigger."""
    warn_if_off(settings)
    async with (
        holder(settings, "provisioner", keeps_topology=True, stop_grace_s=settings.stop_grace_seconds) as service,
        AsyncExitStack() as stack,
    ):
        made = [await stack.enter_async_context(make_one(service.installation)) for make_one in make]
        weights = _weights(settings, stack)
        dependencies = _dependencies(settings, service, {provider.name: provider for provider in made}, weights)
        perform = Perform(dependencies)
        service.take(LAUNCH, perform, max_held=settings.max_launching)
        service.take(INSTALL, perform, max_held=settings.max_installing)
        service.take(RELEASE, perform, max_held=settings.max_releasing)
        known = KnownInstances(service.connection)
        reconciles = [
            Reconcile(
                service.journal, provider, known, settings,
                hand_over=HandOver(service.connection, after_s=settings.hand_over_seconds),
            )
            for provider in made
        ]  # fmt: skip
        OnDemand(reconciles).attach(service.broker)
        WorkerOutputOnDemand(dependencies).attach(service.broker)
        instance_types = InstanceTypes(service.jetstream, replicas=settings.stream_replicas)
        statuses = ProviderStatuses(service.jetstream, replicas=settings.stream_replicas)
        offers = dependencies.offers
        async with asyncio.TaskGroup() as group:
            owned = [
                *(group.create_task(each.for_ever()) for each in reconciles),
                *(
                    group.create_task(offers.keep_publishing(name, instance_types, statuses))
                    for name in dependencies.providers
                ),
            ]
            try:
                async with service.holding() as leases:
                    yield leases
            finally:
                for task in owned:
                    task.cancel()


def _weights(settings: ProvisionerSettings, stack: AsyncExitStack) -> WeightsSource:
    hub = HubWeights(
        settings.hf_endpoint,
        settings.hf_token,
        served_by=settings.workers_hub or HUB,
        timeout_s=settings.hub_timeout_seconds,
    )
    stack.callback(hub.close)
    if settings.mirror is None:
        return hub
    from services.provisioner.weights.mirror import MirrorWeights  # noqa: PLC0415  its client takes 20 MB

    mirror = MirrorWeights(
        settings.mirror, timeout_s=settings.hub_timeout_seconds, valid_s=settings.signed_urls_valid_s
    )
    stack.callback(mirror.close)
    return MirrorFirst(mirror, hub)


def _dependencies(
    settings: ProvisionerSettings, service: Holder, providers: Mapping[str, Provider], weights: WeightsSource
) -> Dependencies:
    secrets = Secrets(settings.master_secret.get_secret_value())
    return Dependencies(
        journal=service.journal,
        providers=providers,
        offers=Offers(providers, settings),
        shell=_shell(settings, secrets),
        install_outputs=InstallOutputs(service.jetstream, replicas=settings.stream_replicas),
        secrets=secrets,
        settings=settings,
        worker_outputs=WorkerOutputs(service.jetstream, replicas=settings.stream_replicas),
        weights=weights,
    )


def provider_context(settings: ProvisionerSettings) -> ProviderContext:
    secrets = Secrets(settings.master_secret.get_secret_value())
    return ProviderContext(settings.call_timeout_seconds, _shell(settings, secrets))


def _shell(settings: ProvisionerSettings, secrets: Secrets) -> SshShell:
    return SshShell(
        client_key=secrets.ssh_client_key(),
        port=settings.ssh_port,
        connect_timeout_s=settings.connect_timeout_seconds,
        keepalive_s=settings.keepalive_seconds,
    )
