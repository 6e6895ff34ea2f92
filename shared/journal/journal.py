"""The journal: what happened to every instance, on JetStream. It is the only source of truth.

An append expects the instance's last sequence. On a version conflict, reload and decide again.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js.errors import APIError, NotFoundError

from shared.journal.direct_get import ANSWER_TIMEOUT_S, DirectGetFailed, direct_get
from shared.journal.envelope import Origin, Recorded, Undecodable, decode, encode
from shared.journal.streams import LIFECYCLE, append_subject, event_subject, instance_subject
from shared.lifecycle.decide import request
from shared.lifecycle.errors import InstanceUnknown, LifecycleError
from shared.lifecycle.events import Event, InstanceRequested, event_id
from shared.lifecycle.fold import begin, evolve
from shared.lifecycle.instance import Instance
from shared.lifecycle.news import is_news
from shared.retry import SpreadRetries, retrying

_PATIENCE_S: Final = 60.0
_TRANSPORT: Final = (NatsError, TimeoutError, OSError)
_NO_MESSAGE: Final = 10037
_WRONG_LAST_SEQUENCE: Final = 10071

_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 1.0
_RETRIES_PER_S: Final = 200.0
"""Of all appends of a process. Each needs some requests of JetStream's API, which drops what exceeds its queue."""

Decision = Callable[[Instance, datetime], Event]
"""A function of `shared.lifecycle.decide`: returns the fact that an intent becomes, or raises IntentRefused."""


class JournalUnavailable(Exception):
    """For a minute, every try of an append met a version conflict, got no answer or was refused."""


class _NotWhereItIsRead(JournalUnavailable):
    """The stream acknowledged an append but stored it elsewhere: another program has changed its configuration."""

    def __init__(self, sequence: int) -> None:
        super().__init__(f"the stream does not keep message {sequence} under the subject where events are read")
        self.sequence = sequence


@dataclass(frozen=True)
class _Place:
    """Where an instance's history ends: the next event is expected after `sequence`."""

    last: Recorded | None
    sequence: int


_NOTHING: Final = _Place(None, 0)


def _ignore(_: str | None) -> None:
    pass


class Journal:
    """`actor` names the service that records; `source` is the CloudEvents source of this installation.

    `appended` is called after every append: with None if it was recorded, with the reason if the stream did not store
    it. A version conflict is neither.
    """

    def __init__(
        self, connection: Client, *, actor: str, source: str, appended: Callable[[str | None], None] = _ignore
    ) -> None:
        self._connection = connection
        self._jetstream = connection.jetstream(timeout=ANSWER_TIMEOUT_S)
        self._actor = actor
        self._source = source
        self._appended = appended
        self._retries = SpreadRetries(per_s=_RETRIES_PER_S, first=_FIRST_PAUSE_S, longest=_LONGEST_PAUSE_S)

    async def load(self, instance_id: UUID) -> Instance:
        """The instance as it is now. Raises InstanceUnknown, JournalUnavailable."""
        last = (await self._end_of(instance_id)).last
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
            return fact if is_news(instance, fact) else None

        return (await self._append(fact.instance_id, event_id(fact), judge, self._origin(cause), check)).instance

    async def request(
        self, requested: InstanceRequested, *, intent_id: UUID, traceparent: str | None = None, unknown: bool = False
    ) -> tuple[Instance, bool]:
        """Begin an instance. True if this call began it, False if exactly the same was requested before.

        `unknown`: no instance of this id is known, so none is loaded first; on a version conflict it is after all.
        Raises InstanceConflict if its id was requested with another specification, JournalUnavailable.
        """
        began = False

        def judge(instance: Instance | None) -> Event | None:
            nonlocal began
            decided = request(instance, requested)
            began = decided is not None
            return decided

        origin = Origin(self._actor, traceparent=traceparent)
        first = _NOTHING if unknown else None
        recorded = await self._append(requested.instance_id, intent_id, judge, origin, None, first=first)
        return recorded.instance, began

    async def intend(
        self, instance_id: UUID, decide: Decision, *, intent_id: UUID, at: datetime, traceparent: str | None = None
    ) -> Instance:
        """Record what `decide` makes of an intent, given the instance at the moment of the append.

        `intent_id` is unique to this intent. A repetition is another intent, and is decided again.
        Raises IntentRefused, InstanceUnknown, JournalUnavailable.
        """

        def judge(instance: Instance | None) -> Event:
            if instance is None:
                raise InstanceUnknown(instance_id)
            return decide(instance, at)

        origin = Origin(self._actor, traceparent=traceparent)
        return (await self._append(instance_id, intent_id, judge, origin, None)).instance

    async def history(self, instance_id: UUID, *, after: int = 0) -> AsyncIterator[Recorded]:
        """Every event of an instance after that stream sequence, oldest first, except those that no longer decode."""
        while (found := await self._next(instance_id, after)) is not None:
            after, recorded = found
            if recorded is not None:
                yield recorded

    def _origin(self, cause: Recorded | None) -> Origin:
        if cause is None:
            return Origin(self._actor)
        return Origin(self._actor, causation_id=cause.id, traceparent=cause.origin.traceparent)

    async def _append(
        self,
        instance_id: UUID,
        own: UUID,
        judge: Callable[[Instance | None], Event | None],
        origin: Origin,
        check: Callable[[], None] | None,
        *,
        first: _Place | None = None,
    ) -> Recorded:
        """`first`: where the history is taken to end at the first attempt."""
        unsure_after: int | None = None
        message_id = str(own)
        async for attempt in retrying(JournalUnavailable, pause_s=self._retries.pause_s, for_s=_PATIENCE_S):
            with attempt:
                if unsure_after is not None and (mine := await self._mine_after(instance_id, unsure_after, own)):
                    return mine
                again = attempt.retry_state.attempt_number > 1
                place = (not again and first) or await self._end_of(instance_id, from_leader=again)
                try:
                    event = judge(place.last.instance if place.last else None)
                except LifecycleError:
                    # the conflicting event may be its own: an append whose answer was lost can be stored this late
                    if unsure_after is not None and (mine := await self._mine_after(instance_id, unsure_after, own)):
                        return mine
                    raise
                if event is None:
                    assert place.last is not None  # noqa: S101  only an existing instance makes a fact old
                    return place.last
                if check is not None:
                    check()
                unsure_after = place.sequence
                try:
                    return await self._publish(place, own, event, origin, message_id)
                except _NotWhereItIsRead as misplaced:
                    message_id = f"{own}:{misplaced.sequence}"  # the stream refuses a second message with the same id
                    raise
        raise AssertionError("unreachable")

    async def _publish(self, place: _Place, own: UUID, event: Event, origin: Origin, message_id: str) -> Recorded:
        if place.last is None:
            assert isinstance(event, InstanceRequested)  # noqa: S101  judge saw to it
            instance = begin(event)
        else:
            instance = evolve(place.last.instance, event)
        try:
            ack = await self._jetstream.publish(
                append_subject(instance.id, event.type()),
                encode(own, event, instance, origin, self._source),
                headers={
                    "Nats-Msg-Id": message_id,
                    "Nats-Expected-Stream": LIFECYCLE,
                    "Nats-Expected-Last-Subject-Sequence": str(place.sequence),
                    "Nats-Expected-Last-Subject-Sequence-Subject": instance_subject(instance.id),
                },
            )
        except MaxPayloadError:
            raise  # a caller's mistake, which no retry can fix
        except APIError as error:
            if error.err_code != _WRONG_LAST_SEQUENCE:
                self._appended(str(error))
            raise JournalUnavailable(str(error)) from error
        except _TRANSPORT as error:
            self._appended(repr(error))
            raise JournalUnavailable(repr(error)) from error
        try:
            await self._check_place(ack.seq, event_subject(instance.id, event.type()))
        except JournalUnavailable as error:
            self._appended(str(error))
            raise
        self._appended(None)
        return Recorded(own, event, instance, origin, ack.seq, datetime.now(UTC))

    async def _check_place(self, sequence: int, subject: str) -> None:
        """Check under which subject the message was stored: an acknowledgement does not say it.

        Raises JournalUnavailable.
        """
        if (found := await self._direct({"seq": sequence})) and (found.headers or {}).get("Nats-Subject") == subject:
            return
        try:  # a replica may lag
            kept = (await self._jetstream.get_msg(LIFECYCLE, seq=sequence)).subject
        except _TRANSPORT as error:
            raise JournalUnavailable(repr(error)) from error
        if kept != subject:
            raise _NotWhereItIsRead(sequence)

    async def _mine_after(self, instance_id: UUID, sequence: int, own: UUID) -> Recorded | None:
        """The event, if an append that got no answer or met a conflict was stored after all."""
        found = await self._next(instance_id, sequence)
        return found[1] if found and found[1] and found[1].id == own else None

    async def _end_of(self, instance_id: UUID, *, from_leader: bool = False) -> _Place:
        """One direct get, however long the history. A replica may lag, so after a conflict the leader is asked."""
        found = await self._get(instance_subject(instance_id), None, from_leader=from_leader)
        if found is None:
            return _Place(None, 0)
        sequence, data, recorded_at = found
        try:
            return _Place(decode(data, sequence, recorded_at), sequence)
        except Undecodable:
            last = None
            async for recorded in self.history(instance_id):
                last = recorded
            return _Place(last, sequence)

    async def _next(self, instance_id: UUID, after: int) -> tuple[int, Recorded | None] | None:
        found = await self._get(instance_subject(instance_id), after + 1, from_leader=True)
        if found is None:
            return None
        sequence, data, recorded_at = found
        try:
            return sequence, decode(data, sequence, recorded_at)
        except Undecodable:
            return sequence, None

    async def _get(
        self, subject: str, at_or_after: int | None, *, from_leader: bool
    ) -> tuple[int, bytes, datetime] | None:
        """The last message under `subject`, or the first from a sequence on."""
        try:
            if from_leader or at_or_after is not None:
                message = await self._jetstream.get_msg(
                    LIFECYCLE, seq=at_or_after, subject=subject, next=at_or_after is not None, direct=not from_leader
                )
                return message.seq or 0, message.data or b"", message.time or datetime.now(UTC)
        except NotFoundError as error:
            if error.err_code == _NO_MESSAGE:
                return None
            raise JournalUnavailable(f"no stream {LIFECYCLE}") from error
        except _TRANSPORT as error:
            raise JournalUnavailable(repr(error)) from error
        if (found := await self._direct({"last_by_subj": subject})) is None:
            return None
        headers = found.headers or {}
        return int(headers["Nats-Sequence"]), found.data, datetime.fromisoformat(headers["Nats-Time-Stamp"])

    async def _direct(self, request: dict[str, object]) -> Msg | None:
        """Raises JournalUnavailable."""
        try:
            return await direct_get(self._connection, request)
        except DirectGetFailed as error:
            raise JournalUnavailable(str(error)) from error
