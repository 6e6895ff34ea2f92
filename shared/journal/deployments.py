"""The journal of the deployments, in the same stream as that of the instances."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from nats.aio.client import Client

from shared.actor import Actor
from shared.deployments.deployment import Deployment
from shared.deployments.errors import DeploymentError, DeploymentUnknown
from shared.deployments.events import DeploymentCreated, DeploymentEvent, OfTheScaler, conclusion_id
from shared.deployments.fold import begin, evolve
from shared.deployments.news import is_news
from shared.journal.appending import Appended, Appending, Writer, ignore
from shared.journal.envelope import DEPLOYMENTS
from shared.journal.errors import JournalUnavailable
from shared.journal.histories import TRANSPORT, Histories
from shared.journal.recorded import AnyRecorded, RecordedDeployment
from shared.journal.streams import LIFECYCLE

DeploymentJudge: TypeAlias = Callable[[Deployment | None, datetime], DeploymentEvent | None]
"""What becomes of an intent, by `shared.deployments.decide`; None if nothing has to happen.

It takes the deployment (None: there never was one) and the time, and may raise a DeploymentError.
"""


class DeploymentJournal:
    """`actor`, `source` and `appended` are those of `shared.journal.appending.Writer`."""

    def __init__(self, connection: Client, *, actor: str, source: str, appended: Appended = ignore) -> None:
        self._connection = connection
        self._writer = Writer(actor, source, appended)
        self._histories = Histories(connection, DEPLOYMENTS)
        self._appending = Appending(
            connection, self._histories, self._writer, begin=_begin, evolve=evolve, refusal=DeploymentError
        )

    async def load(self, deployment_id: UUID, *, at_least: int = 0, from_leader: bool = False) -> Deployment:
        """As `Journal.load`. A deleted deployment is one, too.

        Raises DeploymentUnknown, JournalUnavailable.
        """
        last = await self._histories.last_of(deployment_id, at_least=at_least, from_leader=from_leader)
        if last is None:
            raise DeploymentUnknown(deployment_id)
        return last.after

    async def created(self) -> frozenset[UUID]:
        """Every deployment that was ever created, whatever has become of it. Raises JournalUnavailable."""
        created = f"lifecycle.*.{DeploymentCreated.__name__}"
        try:
            info = await self._connection.jetstream().stream_info(LIFECYCLE, subjects_filter=created)
        except TRANSPORT as error:
            raise JournalUnavailable(f"the stream {LIFECYCLE}: {error!r}") from error
        return frozenset(UUID(subject.split(".")[1]) for subject in info.state.subjects or ())

    async def record(
        self, fact: OfTheScaler, *, cause: AnyRecorded | None = None, check: Callable[[], None] | None = None
    ) -> Deployment:
        """Append a conclusion; drop it if anything else was recorded since the version that it was made from.

        `check` is called right before each publish and may raise (a lost lease). Returns the deployment after it, or as
        it is if the conclusion was dropped. Raises DeploymentUnknown, JournalUnavailable.
        """
        assert isinstance(fact, DeploymentEvent)  # noqa: S101  every conclusion is one

        def judge(deployment: Deployment | None) -> DeploymentEvent | None:
            if deployment is None:
                raise DeploymentUnknown(fact.deployment_id)
            return fact if is_news(deployment, fact) else None

        return await self._appending.append(
            fact.deployment_id, conclusion_id(fact), judge, self._writer.origin(cause), check=check
        )

    async def intend(
        self,
        deployment_id: UUID,
        judge: DeploymentJudge,
        *,
        intent_id: UUID,
        at: datetime,
        requested_by: Actor | None = None,
        traceparent: str | None = None,
    ) -> tuple[Deployment, bool]:
        """Record what `judge` makes of an intent, given the deployment at the moment of the append. True if it was any.

        `requested_by` is who asks, by default this service. `intent_id` is unique to this intent.
        Raises DeploymentError, JournalUnavailable.
        """
        recorded = False

        def judged(deployment: Deployment | None) -> DeploymentEvent | None:
            nonlocal recorded
            event = judge(deployment, at)
            recorded = event is not None
            return None if event is None else self._writer.asked(event, requested_by)

        origin = self._writer.origin(traceparent=traceparent)
        deployment = await self._appending.append(deployment_id, intent_id, judged, origin)
        return deployment, recorded

    def history(self, deployment_id: UUID, *, after: int = 0) -> AsyncIterator[RecordedDeployment]:
        """Every event of a deployment after that stream sequence, oldest first, except those that no longer decode."""
        return self._histories.events(deployment_id, after=after)


def _begin(event: DeploymentEvent) -> Deployment:
    assert isinstance(event, DeploymentCreated)  # noqa: S101  judges see to it
    return begin(event)
