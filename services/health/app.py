"""The health service: the one place that builds its adapters and wires them."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from services.health.http_prober import HttpProber
from services.health.probes import Prober
from services.health.settings import HealthSettings
from services.health.sight import Sight
from services.health.ssh_worker_log import SshWorkerLog
from services.health.telling import Telling
from services.health.watcher import Watcher
from services.health.worker_log import WorkerLog
from shared.bus.lease import Leases
from shared.bus.reloads import Reloads
from shared.bus.start_up import holder
from shared.bus.topology import WATCH
from shared.bus.updates import Updates, instance_after
from shared.journal.streams import EVERY_EVENT
from shared.running import alongside
from shared.secrets import Secrets, SshKey
from shared.worker_tls import warn_if_off

OpenProber = Callable[[HealthSettings], AbstractAsyncContextManager[Prober]]
MakeWorkerLog = Callable[[SshKey, HealthSettings], WorkerLog]
"""Takes the key with which the installation signs in to its machines."""


@asynccontextmanager
async def running(
    settings: HealthSettings,
    open_prober: OpenProber = HttpProber.open,
    make_worker_log: MakeWorkerLog = SshWorkerLog,
) -> AsyncGenerator[Leases]:
    """Watch all instances that need it while the block runs. At its end, return every watch at once.

    Yields the leases, one for each watch.
    """
    warn_if_off(settings)
    updates, sight = Updates(instance_after), Sight(settings)
    secrets = Secrets(settings.master_secret.get_secret_value())
    async with (
        holder(
            settings,
            "health",
            keeps_topology=False,
            stop_grace_s=settings.stop_grace_seconds,
            reconnected=updates.on_reconnect,
        ) as service,
        open_prober(settings) as prober,
        alongside(sight.lag.run()),
    ):
        watcher = Watcher(
            journal=service.journal,
            prober=prober,
            worker_log=make_worker_log(secrets.ssh_client_key(), settings),
            secrets=secrets,
            updates=updates,
            reloads=Reloads(settings.reload_seconds, settings.reloads_at_once),
            sight=sight,
            settings=settings,
        )
        service.take(WATCH, watcher.watch, max_held=settings.max_watches)
        await service.connection.subscribe(EVERY_EVENT, cb=updates.on_message)
        async with service.holding() as leases, alongside(Telling(service.connection, sight).run()):
            yield leases
