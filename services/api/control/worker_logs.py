"""The output of a worker: of one that has a machine, read there now; of any other, as it was kept."""

from dataclasses import dataclass

from nats.aio.client import Client

from services.api.control.errors import WorkerLogUnreadable
from shared.lifecycle.events import SshInstallStarted
from shared.lifecycle.instance import Instance
from shared.worker_output import WorkerOutput, WorkerOutputs, WorkerUnreadable, request_worker_output


@dataclass(frozen=True)
class WorkerLogs:
    connection: Client
    kept: WorkerOutputs
    patience_s: float

    async def of(self, instance: Instance) -> WorkerOutput | None:
        """None if there is none yet, or it is too old. Raises WorkerLogUnreadable, nats.errors.Error."""
        if not instance.in_use or instance.ip_address is None or not instance.reached(SshInstallStarted):
            return await self.kept.of(instance.id)
        try:
            return await request_worker_output(self.connection, instance.id, self.patience_s)
        except WorkerUnreadable as error:
            raise WorkerLogUnreadable(f"{error}. Try again, or read the instance's events.") from None
