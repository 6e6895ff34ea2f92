"""The scaler, wired: the one that acts for deployments."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from nats.aio.msg import Msg

from services.scaler.hand_over import DeploymentHandOver
from services.scaler.load_history import LoadHistory
from services.scaler.loads import Loads
from services.scaler.past import Past
from services.scaler.replicas import UnwantedReplicas
from services.scaler.scaler import Scaler
from services.scaler.settings import ScalerSettings
from services.scaler.view import Sources
from shared.bus.lease import Leases
from shared.bus.reloads import Reloads
from shared.bus.start_up import holder
from shared.bus.topology import REPLICAS, SCALE
from shared.bus.updates import Updates, deployment_after, instance_after
from shared.journal.deployments import DeploymentJournal
from shared.journal.streams import EVERY_EVENT
from shared.load import SUBJECT
from shared.postgres.connection import connecting
from shared.running import alongside


@asynccontextmanager
async def running(settings: ScalerSettings) -> AsyncGenerator[Leases]:
    """Scale all deployments while the block runs. At its end, return every one at once.

    Yields the leases, one for each deployment.
    """
    deployment_updates, instance_updates = Updates(deployment_after), Updates(instance_after)

    async def updated(message: Msg) -> None:
        await deployment_updates.on_message(message)
        await instance_updates.on_message(message)

    past = Past()
    url = settings.database_url.get_secret_value()
    history = LoadHistory(lambda: connecting(url, name="coldstart scaler"), past, settings.load_history_days)
    loads = Loads(history, past)
    async with holder(
        settings,
        "scaler",
        keeps_topology=False,
        stop_grace_s=settings.stop_grace_seconds,
        reconnected=deployment_updates.on_reconnect,
    ) as service:
        deployments = DeploymentJournal(service.connection, actor="scaler", source=f"/coldstart/{service.installation}")
        sources = Sources(
            service.journal,
            deployments,
            deployment_updates,
            instance_updates,
            Reloads(settings.reload_seconds, settings.reloads_at_once),
            Reloads(settings.reload_instances_seconds, settings.reloads_at_once),
        )
        scaler = Scaler(service.connection, sources, loads, settings)
        hand_over = DeploymentHandOver(service.connection, deployments, settings)
        service.take(SCALE, scaler.scale, max_held=settings.max_deployments)
        service.take(REPLICAS, UnwantedReplicas(service.journal, deployments).check, max_held=settings.max_checks)
        await service.connection.subscribe(EVERY_EVENT, cb=updated)
        await service.connection.subscribe(SUBJECT, cb=loads.on_message)
        async with alongside(history.run(), loads.run(), hand_over.run()), service.holding() as leases:
            yield leases
