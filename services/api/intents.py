"""What a request may do to an instance: recorded in the journal, answered once the read model shows it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4, uuid5

from services.api.intake import InstanceBody, Intake, requested
from services.api.projection import Projection
from shared.journal import Decision, Journal, JournalUnavailable
from shared.lifecycle.decide import terminate
from shared.lifecycle.errors import InstanceUnknown, IntentRefused
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status

_FROM_KEYS: Final = "idempotency/"


@dataclass(frozen=True)
class Accepted:
    """`began`: this request began the instance, none before it. `warnings` say what most likely will not do."""

    instance: Instance
    began: bool
    warnings: list[str]


class Intents:
    """`patience_s`: how long the journal may take before the sender is told that it does not answer."""

    def __init__(self, journal: Journal, projection: Projection, intake: Intake, patience_s: float) -> None:
        self._journal = journal
        self._projection = projection
        self._intake = intake
        self._patience_s = patience_s

    async def load(self, instance_id: UUID) -> Instance:
        """As the journal knows it now. Raises InstanceUnknown, JournalUnavailable."""
        async with self._patiently():
            return await self._journal.load(instance_id)

    async def shown(self, instance: Instance) -> Instance:
        """Wait, a little, until the read model is as far."""
        await self._projection.shows(instance.id, instance.version)
        return instance

    async def request(
        self, body: InstanceBody, owner: UUID, idempotency_key: str | None, traceparent: str | None
    ) -> Accepted:
        """Raises Problem, InstanceConflict, JournalUnavailable."""
        specification = await self._intake.specification(body)
        instance_id = uuid5(owner, _FROM_KEYS + idempotency_key) if idempotency_key else uuid4()
        async with self._patiently():
            if not idempotency_key or not await self._exists(instance_id):
                await self._intake.check_offer(specification)
            warnings = await self._intake.warnings(specification)
            instance, began = await self._journal.request(
                requested(instance_id, specification), intent_id=uuid4(), traceparent=traceparent
            )
        return Accepted(await self.shown(instance), began=began, warnings=warnings)

    async def intend(self, instance_id: UUID, decide: Decision, traceparent: str | None) -> Instance:
        """Raises IntentRefused, InstanceUnknown, JournalUnavailable."""
        async with self._patiently():
            instance = await self._journal.intend(
                instance_id, decide, intent_id=uuid4(), at=datetime.now(UTC), traceparent=traceparent
            )
        return await self.shown(instance)

    async def terminate(self, instance_id: UUID, traceparent: str | None) -> Instance:
        """As `intend`; one that is being terminated already is what was asked for."""
        try:
            return await self.intend(instance_id, terminate, traceparent)
        except IntentRefused:
            instance = await self.load(instance_id)
            if instance.status is Status.TERMINATING:
                return instance
            raise

    async def _exists(self, instance_id: UUID) -> bool:
        try:
            await self._journal.load(instance_id)
        except InstanceUnknown:
            return False
        return True

    @asynccontextmanager
    async def _patiently(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._patience_s):
                yield
        except TimeoutError as error:
            raise JournalUnavailable(f"no answer within {self._patience_s} s") from error
