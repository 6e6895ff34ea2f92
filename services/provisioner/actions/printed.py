"""Publishes an install's output while it runs. A convenience: if it fails, the install continues."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from nats.errors import Error as NatsError

from services.provisioner.action_context import ActionContext, now
from services.provisioner.install.script import InstallJob
from shared.install_output import MOST_LINES, InstallOutput, OutputLine

BETWEEN_S: Final = 1.0
TIME_OUT_S: Final = 2.0

log = structlog.get_logger()


class Printed:
    """The last lines of one try, without what may not be shown."""

    def __init__(self, context: ActionContext, job: InstallJob) -> None:
        self._context = context
        self._job = job
        self._lines: deque[OutputLine] = deque(maxlen=MOST_LINES)
        self._more = asyncio.Event()

    def add(self, line: str) -> None:
        number = self._lines[-1].number + 1 if self._lines else 1
        self._lines.append(OutputLine(number=number, at=now(), text=self._context.printable(line.rstrip("\r\n"))))
        self._more.set()

    @asynccontextmanager
    async def publishing(self) -> AsyncGenerator[None]:
        """Publish repeatedly while the block lasts, and once more at its end."""
        publishing = asyncio.create_task(self._publish_for_ever())
        try:
            yield
        finally:
            publishing.cancel()
            await asyncio.wait({publishing})
            await self._publish()

    async def _publish_for_ever(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            await self._publish()
            await asyncio.sleep(BETWEEN_S)

    async def _publish(self) -> None:
        """Only as the holder: one that woke up late would overwrite a new try's lines with an old try's."""
        if not self._lines or self._context.lease.lost:
            return
        output = InstallOutput(
            attempt=self._job.attempt, install_try=self._job.attempt_try, lines=tuple(self._lines), updated_at=now()
        )
        try:
            async with asyncio.timeout(TIME_OUT_S):
                await self._context.dependencies.install_outputs.publish(self._context.instance_id, output)
        except (NatsError, TimeoutError, OSError) as error:
            log.warning("install output not published", instance_id=str(self._context.instance_id), reason=repr(error))
