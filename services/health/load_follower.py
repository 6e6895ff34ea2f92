"""Follows a worker's log while it cannot be asked yet: how far it is with loading its model, and whether it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog

from services.health.model_load import Load, ModelLoad
from services.health.worker_log import LogUnavailable, WorkerEnd, WorkerLog
from shared.bus.lease import LeaseLost
from shared.host_keys import accepted_host_keys
from shared.journal.errors import JournalUnavailable
from shared.lifecycle.events import ModelLoadProgressed, SshInstallCompleted
from shared.lifecycle.instance import Instance
from shared.lifecycle.news import is_news
from shared.lifecycle.status import Status
from shared.secrets import Secrets

Record = Callable[[ModelLoadProgressed], Awaitable[Instance]]
"""Records the fact and returns the instance after it."""
Ended = Callable[[WorkerEnd], None]
"""Learns of an end of the worker; it may be told of the same end again."""

log = structlog.get_logger()


def is_loading(instance: Instance) -> bool:
    """True from the end of its install until it is ready: before that, the log may be of an earlier attempt's worker.

    A stopped server boots again, and its worker then loads the model once more.
    """
    installed = instance.status in {Status.BOOTING, Status.STARTING} and instance.reached(SshInstallCompleted)
    return installed and instance.ip_address is not None


@dataclass
class LoadFollower:
    """Follows the log of one instance, in a task that `following` owns."""

    worker_log: WorkerLog
    secrets: Secrets
    retry_s: float
    now: Callable[[], datetime]
    record: Record
    ended: Ended
    _instance: Instance | None = field(default=None, repr=False)
    _task: asyncio.Task[None] | None = field(default=None, repr=False)
    _address: str | None = None

    @contextmanager
    def following(self) -> Iterator[None]:
        """Stops following at the end of the block."""
        try:
            yield
        finally:
            self._stop()

    def know(self, instance: Instance) -> None:
        """Call this whenever the instance may have changed."""
        self._instance = instance
        wanted = instance.ip_address if is_loading(instance) else None
        if wanted == self._address:
            return
        self._stop()
        self._address = wanted
        if wanted is not None:
            following = self._follow(wanted, instance.id, instance.attempt)
            self._task = asyncio.create_task(following, name=f"loading-{instance.id}")
            self._task.add_done_callback(_log_failure)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _follow(self, address: str, instance_id: UUID, attempt: int) -> None:
        """Runs until cancelled. Trouble in reaching the log is only waited out, since the probes decide.

        Each connection accepts the host keys that are valid at that time, so no longer a rotated one.
        """
        model_load = ModelLoad()
        while True:
            try:
                async with aclosing(self.worker_log.follow(address, self._host_keys())) as lines:
                    async for line in lines:
                        if isinstance(line, WorkerEnd):
                            self.ended(line)
                        elif load := model_load.after(line):
                            await self._tell(load, instance_id, attempt)
            except LeaseLost:
                return
            except (LogUnavailable, JournalUnavailable) as error:
                log.info("model load not followed", instance_id=str(instance_id), reason=str(error))
            except Exception:  # the loop's bound: whatever a machine answers, its next answer may be readable
                log.exception("model load not followed", instance_id=str(instance_id))
            await asyncio.sleep(self.retry_s)

    def _host_keys(self) -> list[str]:
        return accepted_host_keys(self.secrets, self._instance) if self._instance is not None else []

    async def _tell(self, load: Load, instance_id: UUID, attempt: int) -> None:
        fact = ModelLoadProgressed(
            instance_id=instance_id,
            occurred_at=self.now(),
            attempt=attempt,
            stage=load.stage,
            fraction=load.fraction,
        )
        if self._instance is not None and is_news(self._instance, fact):
            self._instance = await self.record(fact)


def _log_failure(task: asyncio.Task[None]) -> None:
    """Log an unexpected error; the probes continue without it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("model load no longer followed", task=task.get_name(), exc_info=error)
