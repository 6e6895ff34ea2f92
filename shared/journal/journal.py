"""The journal: what happened to every instance, on JetStream. It is the only source of truth."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from uuid import UUID

from nats.aio.client import Client

from shared.actor import Actor
from shared.journal.appending import Appended, Appending, Writer, ignore
from shared.journal.envelope import INSTANCES
from shared.journal.histories import Histories
from shared.journal.recorded import Recorded
from shared.lifecycle.decide import request
from shared.lifecycle.errors import InstanceUnknown, LifecycleError
from shared.lifecycle.events import Event, InstanceRequested, event_id
from shared.lifecycle.fold import begin, evolve
from shared.lifecycle.instance import Instance
from shared.lifecycle.news import is_news

Decision = Callable[[Instance, datetime], Event]
"""A function of `shared.lifecycle.decide`: returns the fact that an intent becomes, or raises IntentRefused."""


class Journal:
    """That of the instances. `actor`, `source` and `appended` are those of `shared.journal.appending.Writer`."""

    def __init__(self, connection: Client, *, actor: str, source: str, appended: Appended = ignore) -> None:
        self._writer = Writer(actor, source, appended)
        self._histories = Histories(connection, INSTANCES)
        self._appending = Appending(
            connection, self._histories, self._writer, begin=_begin, evolve=evolve, refusal=LifecycleError
        )

    async def load(self, instance_id: UUID, *, at_least: int = 0, from_leader: bool = False) -> Instance:
        """The instance as it is now, as far as the replica that answers knows.

        In a cluster a replica may lag. Who acts upon an event asks for `at_least` the version that it knows, or 1 if it
        only knows that there is an instance. Who deletes something asks the leader.

        Raises InstanceUnknown, JournalUnavailable.
        """
        last = await self._histories.last_of(instance_id, at_least=at_least, from_leader=from_leader)
        if last is None:
            raise InstanceUnknown(instance_id)
        return last.instance

    async def record(
        self, fact: Event, *, cause: Recorded | None = None, check: Callable[[], None] | None = None
    ) -> Instance:
        """Append a fact about the world, whatever else happened meanwhile; drop it if it is no longer news.

        `check` is called right before each publish and may raise (a lost lease); omit it for what is already true.
        Returns the instance after the fact, or the instance unchanged if the fact was dropped.
        Raises InstanceUnknown, JournalUnavailable.
        """

        def judge(instance: Instance | None) -> Event | None:
            if instance is None:
                raise InstanceUnknown(fact.instance_id)
            return self._writer.asked(fact, None) if is_news(instance, fact) else None

        return await self._appending.append(
            fact.instance_id, event_id(fact), judge, self._writer.origin(cause), check=check
        )

    async def request(
        self,
        requested: InstanceRequested,
        *,
        intent_id: UUID,
        requested_by: Actor | None = None,
        traceparent: str | None = None,
        unknown: bool = False,
    ) -> tuple[Instance, bool]:
        """Begin an instance. True if this call began it, False if exactly the same was requested before.

        `requested_by`: who asks, by default this service.
        `unknown`: no instance of this id is known, so none is loaded first; on a version conflict it is after all.
        Raises InstanceConflict if its id was requested with another specification, JournalUnavailable.
        """
        began = False

        def judge(instance: Instance | None) -> Event | None:
            nonlocal began
            decided = request(instance, requested)
            began = decided is not None
            return None if decided is None else self._writer.asked(decided, requested_by)

        origin = self._writer.origin(traceparent=traceparent)
        instance = await self._appending.append(requested.instance_id, intent_id, judge, origin, unknown=unknown)
        return instance, began

    async def intend(
        self,
        instance_id: UUID,
        decide: Decision,
        *,
        intent_id: UUID,
        at: datetime,
        requested_by: Actor | None = None,
        traceparent: str | None = None,
    ) -> Instance:
        """Record what `decide` makes of an intent, given the instance at the moment of the append.

        `requested_by` is who asks, by default this service. `intent_id` is unique to this intent. A repetition is
        another intent, and is decided again.
        Raises IntentRefused, InstanceUnknown, JournalUnavailable.
        """

        def judge(instance: Instance | None) -> Event:
            if instance is None:
                raise InstanceUnknown(instance_id)
            return self._writer.asked(decide(instance, at), requested_by)

        return await self._appending.append(instance_id, intent_id, judge, self._writer.origin(traceparent=traceparent))

    def history(self, instance_id: UUID, *, after: int = 0) -> AsyncIterator[Recorded]:
        """Every event of an instance after that stream sequence, oldest first, except those that no longer decode."""
        return self._histories.events(instance_id, after=after)


def _begin(event: Event) -> Instance:
    assert isinstance(event, InstanceRequested)  # noqa: S101  judges see to it
    return begin(event)
