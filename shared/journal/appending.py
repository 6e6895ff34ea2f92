"""How an event is appended: expected right behind the last one of its instance or deployment, and looked for when lost.

On a version conflict, reload and decide again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias
from uuid import UUID

from nats.aio.client import Client
from nats.errors import MaxPayloadError
from nats.js.errors import APIError

from shared.actor import Actor, RequestedBy
from shared.journal.direct_get import ANSWER_TIMEOUT_S
from shared.journal.envelope import encode
from shared.journal.errors import JournalUnavailable, OnlyForNewer
from shared.journal.histories import NOTHING, TRANSPORT, Histories, HistoryEnd
from shared.journal.recorded import AnyRecorded, EventT, Origin, RecordedOf, StateT, UnknownOf
from shared.journal.streams import LIFECYCLE, append_subject, event_subject, events_of
from shared.lifecycle.fact import not_before
from shared.retry import SpreadRetries, retrying

_PATIENCE_S: Final = 60.0
_WRONG_LAST_SEQUENCE: Final = 10071

_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 1.0
_RETRIES_PER_S: Final = 200.0
"""Of all appends of a process. Each needs some requests of JetStream's API, which drops what exceeds its queue."""

Judge: TypeAlias = Callable[[StateT | None], EventT | None]
"""The event to append to what is there (None: nothing yet), or None for nothing. May raise what it refuses with."""
Appended: TypeAlias = Callable[[str | None], None]


class _NotWhereItIsRead(JournalUnavailable):
    """The stream acknowledged an append but stored it elsewhere: another program has changed its configuration."""

    def __init__(self, sequence: int) -> None:
        super().__init__(f"the stream does not keep message {sequence} under the subject where events are read")
        self.sequence = sequence


def ignore(_: str | None) -> None:
    pass


@dataclass(frozen=True)
class Writer:
    """`actor` names the service that records; `source` is the CloudEvents source of this installation.

    `appended` is called after every append: with None if it was recorded, with the reason if the stream did not store
    it. A version conflict is neither.
    """

    actor: str
    source: str
    appended: Appended = ignore

    def asked(self, event: EventT, requested_by: Actor | None) -> EventT:
        """The event, saying who asked for it if anybody can; by default this service."""
        if not isinstance(event, RequestedBy) or (requested_by is None and event.requested_by is not None):
            return event
        by = requested_by or Actor(kind="service", name=self.actor)
        return event.model_copy(update={"requested_by": by})

    def origin(self, cause: AnyRecorded | None = None, traceparent: str | None = None) -> Origin:
        if cause is None:
            return Origin(self.actor, traceparent=traceparent)
        return Origin(self.actor, causation_id=cause.id, traceparent=cause.origin.traceparent)


class Appending(Generic[EventT, StateT]):
    """Of one kind. `begin` makes its state of the first event, `evolve` of each later one. Judges raise `refusal`s.

    Safe for any number of tasks at once.
    """

    def __init__(
        self,
        connection: Client,
        histories: Histories[RecordedOf[EventT, StateT], UnknownOf[StateT]],
        writer: Writer,
        *,
        begin: Callable[[EventT], StateT],
        evolve: Callable[[StateT, EventT], StateT],
        refusal: type[Exception],
    ) -> None:
        self._histories = histories
        self._jetstream = connection.jetstream(timeout=ANSWER_TIMEOUT_S)
        self._writer = writer
        self._begin = begin
        self._evolve = evolve
        self._refusal = refusal
        self._retries = SpreadRetries(per_s=_RETRIES_PER_S, first=_FIRST_PAUSE_S, longest=_LONGEST_PAUSE_S)

    async def append(
        self,
        of: UUID,
        own: UUID,
        judge: Judge[StateT, EventT],
        origin: Origin,
        *,
        check: Callable[[], None] | None = None,
        unknown: bool = False,
    ) -> StateT:
        """Append what `judge` makes of the state, under the event id `own`. Returns the state after it.

        `check` is called right before each publish, and may raise. `unknown`: there is taken to be no history at the
        first attempt. Raises JournalUnavailable, and what `judge` and `check` raise.
        """
        unsure_after: int | None = None
        message_id = str(own)
        async for attempt in retrying(
            JournalUnavailable, pause_s=self._retries.pause_s, for_s=_PATIENCE_S, unless=(OnlyForNewer,)
        ):
            with attempt:
                again = attempt.retry_state.attempt_number > 1
                place = NOTHING if unknown and not again else await self._histories.end_of(of, from_leader=again)
                # only now: an append whose answer was lost can be stored late, and is then not judged again
                if unsure_after is not None and (mine := await self._mine_after(of, unsure_after, own)):
                    return mine.after
                place, event = await self._judged(of, judge, place, from_leader=again)
                if event is None:
                    assert place.last is not None  # noqa: S101  only what exists makes a fact old
                    return place.last.after
                if check is not None:
                    check()
                unsure_after = place.sequence
                event = not_before(event, place.last.after.updated_at) if place.last else event
                try:
                    return await self._publish(place, own, event, origin, message_id)
                except _NotWhereItIsRead as misplaced:
                    message_id = f"{own}:{misplaced.sequence}"  # the stream refuses a second message with the same id
                    raise
        raise AssertionError("unreachable")

    async def _judged(
        self,
        of: UUID,
        judge: Judge[StateT, EventT],
        place: HistoryEnd[RecordedOf[EventT, StateT], UnknownOf[StateT]],
        *,
        from_leader: bool,
    ) -> tuple[HistoryEnd[RecordedOf[EventT, StateT], UnknownOf[StateT]], EventT | None]:
        """A replica knows enough to append, since the stream then compares. A no is asked of the leader again."""
        if not from_leader:
            with suppress(self._refusal):
                if (event := judge(place.last.after if place.last else None)) is not None:
                    return place, event
            place = await self._histories.end_of(of, from_leader=True)
        return place, judge(place.last.after if place.last else None)

    async def _publish(
        self,
        place: HistoryEnd[RecordedOf[EventT, StateT], UnknownOf[StateT]],
        own: UUID,
        event: EventT,
        origin: Origin,
        message_id: str,
    ) -> StateT:
        last = place.last
        after = self._evolve(last.after, event) if last else self._begin(event)
        try:
            ack = await self._jetstream.publish(
                append_subject(after.id, event.type()),
                encode(own, event, after, origin, self._writer.source, carried=last.unread if last else None),
                headers={
                    "Nats-Msg-Id": message_id,
                    "Nats-Expected-Stream": LIFECYCLE,
                    "Nats-Expected-Last-Subject-Sequence": str(place.sequence),
                    "Nats-Expected-Last-Subject-Sequence-Subject": events_of(after.id),
                },
            )
        except MaxPayloadError:
            raise  # a caller's mistake, which no retry can fix
        except APIError as error:
            if error.err_code != _WRONG_LAST_SEQUENCE:
                self._writer.appended(str(error))
            raise JournalUnavailable(str(error)) from error
        except TRANSPORT as error:
            self._writer.appended(repr(error))
            raise JournalUnavailable(repr(error)) from error
        try:
            await self._check_place(ack.seq, event_subject(after.id, event.type()))
        except JournalUnavailable as error:
            self._writer.appended(str(error))
            raise
        self._writer.appended(None)
        return after

    async def _check_place(self, sequence: int, subject: str) -> None:
        """Check under which subject the message was stored: an acknowledgement does not say it.

        Raises JournalUnavailable.
        """
        for from_leader in (False, True):  # a replica may lag
            if await self._histories.subject_at(sequence, from_leader=from_leader) == subject:
                return
        raise _NotWhereItIsRead(sequence)

    async def _mine_after(self, of: UUID, sequence: int, own: UUID) -> RecordedOf[EventT, StateT] | None:
        """The event, if an append that got no answer or met a conflict was stored after all."""
        found = await self._histories.next(of, sequence)
        return found[1] if found and found[1] and found[1].id == own else None
