"""Records what a request asks of a deployment, and answers once the read model shows it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from services.api.access.api_keys import ApiKey
from services.api.access.caller import API, Caller
from services.api.admission.deployment_body import DeploymentBody, ScaleBody
from services.api.admission.deployment_intake import DeploymentIntake, WantedDeployment, scaled
from services.api.admission.errors import DeploymentExists
from services.api.admission.launches import Launches
from services.api.admission.read_your_writes import ReadYourWrites
from services.api.admission.stores import Stores
from services.api.refusals import FieldError
from services.api.tenancy.errors import OrganizationUnknown
from services.api.tenancy.organizations import Organization
from shared.clock import CLOCK
from shared.deployments.decide import DEPLOYMENT_DECISIONS, DeploymentIntent, delete, put
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.deployments.errors import DeploymentError, DeploymentUnknown
from shared.deployments.events import DeploymentCreated, DeploymentEvent, deployment_id
from shared.journal.deployments import DeploymentJournal, DeploymentJudge
from shared.postgres.connection import DATABASE_ERRORS


@dataclass(frozen=True)
class Put:
    """`created`: this request made the deployment. `warnings` say what will most likely fail."""

    deployment: Deployment
    created: bool
    warnings: list[str]


class _Unchecked(DeploymentError):
    """What each replica is has been changed meanwhile, so this changes it, too, and has to be checked for that."""


class DeploymentIntents:
    """Nothing new is made without space; what ends or shrinks deployments is recorded all the same.

    A deployment is named by its id, which follows from its name and its organisation: so no route can reach another's.
    """

    def __init__(
        self,
        journal: DeploymentJournal,
        read_your_writes: ReadYourWrites,
        intake: DeploymentIntake,
        launches: Launches,
        stores: Stores,
    ) -> None:
        self._journal = journal
        self._read_your_writes = read_your_writes
        self._intake = intake
        self._launches = launches
        self._stores = stores

    async def load(self, of: UUID) -> Deployment:
        """A deleted one is there until its last replica is gone. Raises DeploymentUnknown, JournalUnavailable."""
        async with self._stores.patiently():
            deployment = await self._journal.load(of, at_least=1)
        if deployment.over:
            raise DeploymentUnknown(of)
        return deployment

    async def shown(self, deployment: Deployment) -> Deployment:
        """Wait a short while until the read model shows it."""
        await self._read_your_writes.shows(deployment.id, deployment.version)
        return deployment

    async def put(
        self,
        name: str,
        body: DeploymentBody,
        owner: ApiKey,
        organization: Organization | None,
        caller: Caller,
        *,
        only_new: bool = False,
    ) -> Put:
        """Make it so; with `only_new`, none that exists is changed. Raises Refused, JournalUnavailable.

        Where it is so already nothing is judged anew.
        """
        wanted = await self._intake.judged(name, body, organization)
        async with self._turn(organization):
            deployment, created = await self._put(wanted, owner, caller, only_new=only_new)
            if created and organization is not None:
                await self._expect_owner(deployment, organization)
            if self._launches.seen_by_others:
                await self.shown(deployment)
        return Put(await self.shown(deployment), created, list(wanted.replica.findings.warnings))

    async def scale(self, of: UUID, body: ScaleBody, caller: Caller) -> Deployment:
        """Raises Invalid, DeploymentUnknown, JournalUnavailable."""

        def judge(existing: Deployment | None, at: datetime) -> DeploymentEvent | None:
            if existing is None or existing.status is DeploymentStatus.DELETED:
                raise DeploymentUnknown(of)
            return put(existing, of, scaled(existing.wish, body), at)

        return await self.shown(await self._intend(of, judge, caller))

    async def intend(self, of: UUID, intent: DeploymentIntent, caller: Caller) -> Deployment:
        """Raises DeploymentRefused, DeploymentUnknown, JournalUnavailable."""
        decide = DEPLOYMENT_DECISIONS[intent]
        return await self.shown(await self._intend(of, lambda existing, at: decide(existing, of, at), caller))

    async def of_organization(self, organization_id: UUID) -> list[Deployment]:
        """Its deployments of which anything is left, by the stream: one may have been made a moment ago.

        Raises JournalUnavailable.
        """
        found = []
        async with self._stores.patiently():
            created = await self._journal.created()
        for of in created:
            async with self._stores.patiently():
                deployment = await self._journal.load(of, from_leader=True)
            if deployment.organization_id == organization_id and not deployment.over:
                found.append(deployment)
        return found

    async def _put(
        self, wanted: WantedDeployment, owner: ApiKey, caller: Caller, *, only_new: bool
    ) -> tuple[Deployment, bool]:
        existing = await self._existing(deployment_id(wanted.wish.name, wanted.wish.organization_id))
        if only_new and existing is not None:
            raise _taken()
        if existing is not None and existing.wish.template == wanted.wish.template:
            with suppress(_Unchecked):
                return await self._record(wanted, owner, caller, checked=False)
        self._stores.check_space()
        async with self._stores.patiently():
            await self._intake.check(wanted, owner)
        return await self._record(wanted, owner, caller, checked=True, only_new=only_new)

    async def _record(
        self,
        wanted: WantedDeployment,
        owner: ApiKey,
        caller: Caller,
        *,
        checked: bool,
        only_new: bool = False,
    ) -> tuple[Deployment, bool]:
        """True if it made the deployment. Raises _Unchecked."""
        of, created = deployment_id(wanted.wish.name, wanted.wish.organization_id), False
        await self._intake.catalogue(wanted, owner)

        def judge(existing: Deployment | None, at: datetime) -> DeploymentEvent | None:
            nonlocal created
            event = put(existing, of, wanted.wish, at)
            created = isinstance(event, DeploymentCreated)
            if only_new and not created:
                raise _taken()
            if not checked and (created or (existing and existing.wish.template != wanted.wish.template)):
                raise _Unchecked
            return event

        return await self._intend(of, judge, caller), created

    async def _expect_owner(self, deployment: Deployment, organization: Organization) -> None:
        """Raises OrganizationUnknown: then it has deleted the deployment, which nobody could name any more."""
        try:
            await self._launches.expect_organization(organization.id)
        except OrganizationUnknown:
            await self._intend(deployment.id, lambda existing, at: delete(existing, deployment.id, at), API)
            raise
        except DATABASE_ERRORS:  # no organisation is deleted without the database
            return

    async def _intend(self, of: UUID, judge: DeploymentJudge, caller: Caller) -> Deployment:
        async with self._stores.patiently():
            deployment, _ = await self._journal.intend(
                of, judge, intent_id=uuid4(), at=CLOCK.now(), requested_by=caller.actor, traceparent=caller.traceparent
            )
        return deployment

    async def _existing(self, of: UUID) -> Deployment | None:
        """None if it was deleted."""
        try:
            async with self._stores.patiently():
                deployment = await self._journal.load(of)
        except DeploymentUnknown:
            return None
        return None if deployment.status is DeploymentStatus.DELETED else deployment

    @asynccontextmanager
    async def _turn(self, organization: Organization | None) -> AsyncGenerator[None]:
        """So that an organisation is not deleted meanwhile. Raises OrganizationUnknown."""
        if organization is None:
            yield
            return
        async with self._launches.turn(organization.id):
            yield


def _taken() -> DeploymentExists:
    detail = "There is a deployment of this name already. Change that one, or take another name."
    return DeploymentExists(detail, errors=(FieldError(pointer="/name", detail=detail),))
