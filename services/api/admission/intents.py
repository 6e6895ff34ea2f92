"""What a request may do to an instance: recorded in the journal, answered once the read model shows it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4, uuid5

from services.api.access.keys import ApiKey
from services.api.admission.intake import InstanceBody, Intake, Wanted, requested
from services.api.admission.launches import Launches
from services.api.admission.projection import Projection
from services.api.tenancy.organizations import Organization
from services.api.tenancy.ownership import own
from shared.journal.journal import Decision, Journal, JournalUnavailable
from shared.lifecycle.decide import terminate
from shared.lifecycle.errors import InstanceUnknown, IntentRefused
from shared.lifecycle.events import Event
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE, Status

_FROM_KEYS: Final = "idempotency/"


@dataclass(frozen=True)
class Accepted:
    """`began`: this request began the instance, none before it. `warnings` say what most likely will not do."""

    instance: Instance
    began: bool
    warnings: list[str]


class Intents:
    """`patience_s`: how long the journal may take before the sender is told that it does not answer."""

    def __init__(
        self, journal: Journal, projection: Projection, intake: Intake, launches: Launches, patience_s: float
    ) -> None:
        self._journal = journal
        self._projection = projection
        self._intake = intake
        self._launches = launches
        self._patience_s = patience_s

    async def load(self, instance_id: UUID, owner: ApiKey) -> Instance:
        """As the journal knows it now. Raises InstanceUnknown for another's too, JournalUnavailable."""
        async with self._patiently():
            return own(owner, await self._journal.load(instance_id))

    async def shown(self, instance: Instance) -> Instance:
        """Wait, a little, until the read model is as far."""
        await self._projection.shows(instance.id, instance.version)
        return instance

    async def request(
        self,
        body: InstanceBody,
        owner: ApiKey,
        organization: Organization | None,
        idempotency_key: str | None,
        traceparent: str | None,
    ) -> Accepted:
        """Raises Refused, InstanceConflict, JournalUnavailable."""
        wanted = await self._intake.wanted(body, organization)
        instance_id = uuid5(owner.id, _FROM_KEYS + idempotency_key) if idempotency_key else uuid4()
        async with self._patiently():
            wanted = await self._intake.warned(wanted)
        if organization is None:
            instance, began = await self._begin(instance_id, wanted, owner, None, traceparent)
        else:
            async with self._launches.turn(organization.id) as limited:
                instance, began = await self._begin(instance_id, wanted, owner, limited, traceparent)
        if instance.status not in GONE:  # also a repetition, for the launch may not have come this far
            await self._intake.catalogue(wanted, owner)
        return Accepted(await self.shown(instance), began=began, warnings=list(wanted.findings.warnings))

    async def intend(self, instance_id: UUID, decide: Decision, owner: ApiKey, traceparent: str | None) -> Instance:
        """Raises IntentRefused, InstanceUnknown for another's too, JournalUnavailable."""

        def decided(instance: Instance, at: datetime) -> Event:
            return decide(own(owner, instance), at)

        async with self._patiently():
            instance = await self._journal.intend(
                instance_id, decided, intent_id=uuid4(), at=datetime.now(UTC), traceparent=traceparent
            )
        return await self.shown(instance)

    async def terminate(self, instance_id: UUID, owner: ApiKey, traceparent: str | None) -> Instance:
        """As `intend`; one that is being terminated already is what was asked for."""
        try:
            return await self.intend(instance_id, terminate, owner, traceparent)
        except IntentRefused:
            instance = await self.load(instance_id, owner)
            if instance.status is Status.TERMINATING:
                return instance
            raise

    async def _begin(
        self,
        instance_id: UUID,
        wanted: Wanted,
        owner: ApiKey,
        organization: Organization | None,
        traceparent: str | None,
    ) -> tuple[Instance, bool]:
        """A repetition is not judged anew: what was admitted stays so."""
        found = wanted.findings
        async with self._patiently():
            known = await self._exists(instance_id)
        if not known:
            await self._intake.check_rights(wanted, owner)
            async with self._patiently():
                await self._intake.check_offer(wanted)
        if organization is not None and not known:
            found = await self._launches.admit(organization, wanted.wish, found)
        asked = requested(instance_id, wanted.wish, found)
        try:
            async with self._patiently():
                instance, began = await self._journal.request(asked, intent_id=uuid4(), traceparent=traceparent)
        except JournalUnavailable:
            if not known:  # it was admitted, and may be recorded all the same
                await self._intake.catalogue(wanted, owner)
            raise
        if began:
            self._launches.accepted(instance)
        return instance, began

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
