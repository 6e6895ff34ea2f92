"""Records what a request asks of an instance, and answers once the read model shows it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4, uuid5

from services.api.access.api_keys import ApiKey
from services.api.access.caller import SCALER, Caller
from services.api.admission.intake import Intake, Wanted, requested
from services.api.admission.judging import refused_again
from services.api.admission.launch_body import InstanceBody
from services.api.admission.launches import Launches
from services.api.admission.read_your_writes import ReadYourWrites
from services.api.admission.relaunch import may_need_room, relaunch, room_of
from services.api.admission.stores import Stores
from services.api.tenancy.organizations import Organization, Organizations
from services.api.tenancy.ownership import own
from shared.clock import CLOCK
from shared.journal.errors import JournalUnavailable
from shared.journal.journal import Decision, Journal
from shared.lifecycle.decide import reinstall, request, terminate
from shared.lifecycle.errors import InstanceUnknown, IntentRefused
from shared.lifecycle.events import Event
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE, Status
from shared.lifecycle.wish import FailedPlace, OfDeployment

_FROM_KEYS: Final = "idempotency/"
_KEPT: Final = "An instance keeps its model and its options: create another one."


@dataclass(frozen=True)
class Accepted:
    """`began`: this request, and no earlier one, began the instance. `warnings` say what will most likely fail."""

    instance: Instance
    began: bool
    warnings: list[str]


@dataclass(frozen=True)
class _LaunchRequest:
    """`may_exist`: the same request may have come before. `owner`: None of a replica, which its deployment owns."""

    instance_id: UUID
    wanted: Wanted
    owner: ApiKey | None
    caller: Caller
    may_exist: bool


class _TerminatingAlready(IntentRefused):
    def __init__(self, instance: Instance) -> None:
        super().__init__("terminate", "the instance is being terminated already.")
        self.instance = instance


def _terminate(instance: Instance, at: datetime) -> Event:
    if instance.status is Status.TERMINATING:
        raise _TerminatingAlready(instance)
    return terminate(instance, at)


class Intents:
    """Without space nothing is launched or reinstalled; what ends instances is recorded all the same."""

    def __init__(
        self,
        journal: Journal,
        read_your_writes: ReadYourWrites,
        intake: Intake,
        launches: Launches,
        stores: Stores,
    ) -> None:
        self._journal = journal
        self._read_your_writes = read_your_writes
        self._intake = intake
        self._launches = launches
        self._stores = stores

    async def load(self, instance_id: UUID, owner: ApiKey) -> Instance:
        """Load it from the journal. Raises InstanceUnknown (also for another organisation's), JournalUnavailable."""
        async with self._stores.patiently():
            return own(owner, await self._journal.load(instance_id, at_least=1))

    async def shown(self, instance: Instance) -> Instance:
        """Wait a short while until the read model shows it."""
        await self._read_your_writes.shows(instance.id, instance.version)
        return instance

    async def request(
        self,
        body: InstanceBody,
        owner: ApiKey,
        organization: Organization | None,
        idempotency_key: str | None,
        caller: Caller,
    ) -> Accepted:
        """Raises Refused, InstanceConflict, JournalUnavailable."""
        wanted = await self._intake.judged(body, organization)
        instance_id = uuid5(owner.id, _FROM_KEYS + idempotency_key) if idempotency_key else uuid4()
        launch = _LaunchRequest(instance_id, wanted, owner, caller, may_exist=idempotency_key is not None)
        return await self._launched(launch, organization)

    async def launch_replica(
        self,
        body: InstanceBody,
        replica: OfDeployment,
        instance_id: UUID,
        organization: Organization | None,
        *,
        avoid: tuple[FailedPlace, ...],
    ) -> Accepted:
        """Like `request`. Whoever made the deployment had the right to; the rest is judged anew."""
        wanted = await self._intake.judged(body, organization, avoid=avoid)
        wanted = replace(wanted, wish=wanted.wish.model_copy(update={"replica": replica}))
        return await self._launched(_LaunchRequest(instance_id, wanted, None, SCALER, may_exist=True), organization)

    async def _launched(self, launch: _LaunchRequest, organization: Organization | None) -> Accepted:
        if organization is None:
            instance, began = await self._begin(launch, None)
        else:
            async with self._launches.turn(organization.id) as limited:
                instance, began = await self._begin(launch, limited)
                if self._launches.seen_by_others:
                    await self.shown(instance)
        if instance.status not in GONE:  # also for a repetition, since the first request may not have come this far
            await self._catalogue(launch)
        return Accepted(await self.shown(instance), began=began, warnings=list(launch.wanted.findings.warnings))

    async def intend(self, instance_id: UUID, decide: Decision, owner: ApiKey, caller: Caller) -> Instance:
        """Raises IntentRefused; InstanceUnknown, also for another organisation's; JournalUnavailable."""

        def decided(instance: Instance, at: datetime) -> Event:
            return decide(own(owner, instance), at)

        async with self._stores.patiently():
            instance = await self._journal.intend(
                instance_id,
                decided,
                intent_id=uuid4(),
                at=CLOCK.now(),
                requested_by=caller.actor,
                traceparent=caller.traceparent,
            )
        return await self.shown(instance)

    async def reinstall(self, instance_id: UUID, owner: ApiKey, caller: Caller) -> Instance:
        """Like `intend`, but refuses as well if vLLM in the image of today would refuse its options or its model."""
        before = await self.load(instance_id, owner)
        self._stores.check_space()
        contents = await self._intake.contents_of(before)
        async with self._stores.patiently():
            offered = await self._intake.offered()
        versions = await self._intake.versions(before.specification.image, offered)

        def decided(instance: Instance, at: datetime) -> Event:
            event = reinstall(instance, at)
            types = offered.get(instance.specification.provider, ())
            if problem := refused_again(instance, contents, types, versions):
                raise IntentRefused("reinstall", f"{problem} {_KEPT}")
            return event

        return await self.intend(instance_id, decided, owner, caller)

    async def relaunch(
        self,
        instance_id: UUID,
        owner: ApiKey,
        organizations: Organizations,
        idempotency_key: str | None,
        caller: Caller,
    ) -> Accepted:
        """Launch a failed instance again, judged as any launch; the first warning says what is asked for differently.

        Raises Refused, IntentRefused, InstanceUnknown, InstanceConflict, JournalUnavailable.
        """
        failed = await self.load(instance_id, owner)
        wish = failed.specification
        organization = organizations.identified(wish.organization_id)
        if wish.organization_id is not None and organization is None:
            raise IntentRefused("relaunch", "its organisation has been deleted.")
        async with self._stores.patiently():
            offered = await self._intake.offered()
        types, room = offered.get(wish.provider, ()), None
        if may_need_room(failed):
            contents, versions = (
                await self._intake.contents_of(failed),
                await self._intake.versions(wish.image, offered),
            )
            room = room_of(failed, contents, types, versions)
        again = relaunch(failed, types, room)
        accepted = await self.request(again.body, owner, organization, idempotency_key, caller)
        return replace(accepted, warnings=[again.mend, *accepted.warnings]) if again.mend else accepted

    async def terminate(self, instance_id: UUID, owner: ApiKey, caller: Caller) -> Instance:
        """Like `intend`, but succeeds if it is being terminated already."""
        try:
            return await self.intend(instance_id, _terminate, owner, caller)
        except _TerminatingAlready as already:
            return already.instance

    async def _begin(self, launch: _LaunchRequest, organization: Organization | None) -> tuple[Instance, bool]:
        """Raises Refused, InstanceConflict, JournalUnavailable."""
        wanted = launch.wanted
        if launch.may_exist and (known := await self._known(launch.instance_id)):
            request(known, requested(launch.instance_id, wanted.wish, wanted.findings))
            return known, False  # a repetition is not checked again: it stays admitted
        if launch.owner is not None:
            await self._intake.check_rights(wanted, launch.owner)
        self._stores.check_space()
        async with self._stores.patiently():
            await self._intake.check_offer(wanted)
        found = wanted.findings
        if organization is not None:
            found = await self._launches.admit(organization, wanted.wish, found, wanted.offered)
        asked = requested(launch.instance_id, wanted.wish, found)
        try:
            async with self._stores.patiently():
                instance, began = await self._journal.request(
                    asked,
                    intent_id=uuid4(),
                    requested_by=launch.caller.actor,
                    traceparent=launch.caller.traceparent,
                    unknown=True,
                )
        except JournalUnavailable:  # it was admitted, and may have been recorded
            await self._catalogue(launch)
            raise
        if began:
            self._launches.accepted(instance)
        return instance, began

    async def _catalogue(self, launch: _LaunchRequest) -> None:
        """The model of a replica came into the catalogue with its deployment."""
        if launch.owner is not None:
            await self._intake.catalogue(launch.wanted, launch.owner)

    async def _known(self, instance_id: UUID) -> Instance | None:
        try:
            async with self._stores.patiently():
                return await self._journal.load(instance_id)
        except InstanceUnknown:
            return None
