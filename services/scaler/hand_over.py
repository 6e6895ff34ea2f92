"""Deployments that nobody holds are handed over again, as reconciliation does it for instances."""

import asyncio
import time
from collections.abc import Callable
from typing import NoReturn
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.scaler.settings import ScalerSettings
from shared.bus.hand_over import Unheld, all_was_taken, hand_over
from shared.bus.held import held_by_anybody
from shared.bus.topology import SCALE
from shared.deployments.errors import DeploymentUnknown
from shared.deployments.events import DeploymentCreated
from shared.journal.deployments import DeploymentJournal
from shared.journal.direct_get import DirectGetFailed, direct_get
from shared.journal.errors import JournalUnavailable

log = structlog.get_logger()


class DeploymentHandOver:
    """`after_s`: for so long nobody must have held a deployment in any look."""

    def __init__(
        self,
        connection: Client,
        deployments: DeploymentJournal,
        settings: ScalerSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._deployments = deployments
        self._every_s = settings.hand_over_look_seconds
        self._unheld = Unheld[UUID](settings.hand_over_seconds, clock)

    async def run(self) -> NoReturn:
        """The owner cancels it."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def look(self) -> None:
        """What cannot be asked now is asked the next time."""
        try:
            overdue = self._unheld.look([each for each in await self._unclaimed() if await self._lives(each)])
            if overdue and await all_was_taken(self._connection, SCALE):
                for deployment_id in overdue:
                    await self._hand_over(deployment_id)
        except (NatsError, OSError, DirectGetFailed, JournalUnavailable) as error:
            log.warning("nobody could be asked which deployments are held", reason=repr(error))

    async def _unclaimed(self) -> frozenset[UUID]:
        """Every deployment that was ever created, without those that somebody holds."""
        held = await held_by_anybody(self._connection, SCALE.durable)
        if held is None:
            return frozenset()
        return await self._deployments.created() - held

    async def _lives(self, deployment_id: UUID) -> bool:
        try:
            return not (await self._deployments.load(deployment_id)).over
        except DeploymentUnknown:
            return False

    async def _hand_over(self, deployment_id: UUID) -> None:
        asked = {"last_by_subj": f"lifecycle.{deployment_id}.{DeploymentCreated.__name__}"}
        message = await direct_get(self._connection, asked)
        if message is not None:
            await hand_over(self._connection, SCALE, message)
