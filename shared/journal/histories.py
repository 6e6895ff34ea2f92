"""Reads the history of an instance or a deployment from the stream: where it ends, and what comes next in it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, Never, TypeVar
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from shared.journal.direct_get import ANSWER_TIMEOUT_S, DirectGetFailed, direct_get
from shared.journal.envelope import EventKind, Undecodable, WrittenByNewer
from shared.journal.errors import JournalUnavailable, OnlyForNewer
from shared.journal.recorded import RecordedOf, UnknownOf
from shared.journal.streams import LIFECYCLE, events_of

TRANSPORT: Final = (NatsError, TimeoutError, OSError)
_NO_MESSAGE: Final = 10037


_KnownT_co = TypeVar("_KnownT_co", bound=RecordedOf[Any, Any], covariant=True)
_UnknownT_co = TypeVar("_UnknownT_co", bound=UnknownOf[Any], covariant=True)


@dataclass(frozen=True)
class HistoryEnd(Generic[_KnownT_co, _UnknownT_co]):
    """Where a history ends: the next event is expected after `sequence`."""

    last: _KnownT_co | _UnknownT_co | None
    sequence: int


NOTHING: Final[HistoryEnd[Never, Never]] = HistoryEnd(None, 0)


class Histories(Generic[_KnownT_co, _UnknownT_co]):
    """Those of one kind. Whatever it reads may raise JournalUnavailable."""

    def __init__(self, connection: Client, kind: EventKind[_KnownT_co, _UnknownT_co]) -> None:
        self._connection = connection
        self._kind = kind
        self._jetstream = connection.jetstream(timeout=ANSWER_TIMEOUT_S)

    async def events(self, of: UUID, *, after: int = 0) -> AsyncIterator[_KnownT_co]:
        """Every event of this id after that stream sequence, oldest first, except those that no longer decode."""
        while (found := await self.next(of, after)) is not None:
            after, recorded = found
            if recorded is not None:
                yield recorded

    async def subject_at(self, sequence: int, *, from_leader: bool) -> str | None:
        """Under which subject a message is stored; None if this server does not have it."""
        if not from_leader:
            found = await self._direct({"seq": sequence})
            return (found.headers or {}).get("Nats-Subject") if found else None
        try:
            return (await self._jetstream.get_msg(LIFECYCLE, seq=sequence)).subject
        except TRANSPORT as error:
            raise JournalUnavailable(repr(error)) from error

    async def end_of(self, of: UUID, *, from_leader: bool = False) -> HistoryEnd[_KnownT_co, _UnknownT_co]:
        """One direct get, however long the history. A replica may lag, so after a conflict the leader is asked."""
        found = await self._get(events_of(of), None, from_leader=from_leader)
        if found is None:
            return NOTHING
        sequence, data, recorded_at = found
        try:
            return HistoryEnd(self._kind.decode_any(data, sequence, recorded_at), sequence)
        except WrittenByNewer as error:
            raise OnlyForNewer(f"{self._kind.name} {of} is left to a newer version: {error}") from error
        except Undecodable:
            last = None
            async for recorded in self.events(of):
                last = recorded
            return HistoryEnd(last, sequence)

    async def last_of(self, of: UUID, *, at_least: int, from_leader: bool) -> _KnownT_co | _UnknownT_co | None:
        """The last event, of the leader if it is asked or if the replica that answers knows no version `at_least`."""
        last = (await self.end_of(of, from_leader=from_leader)).last
        if (last.after.version if last else 0) < at_least and not from_leader:
            last = (await self.end_of(of, from_leader=True)).last
        return last

    async def next(self, of: UUID, after: int) -> tuple[int, _KnownT_co | None] | None:
        """Sequence and event of the first message after that sequence; the event is None if it does not decode."""
        found = await self._get(events_of(of), after + 1, from_leader=True)
        if found is None:
            return None
        sequence, data, recorded_at = found
        try:
            return sequence, self._kind.decode(data, sequence, recorded_at)
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
        except TRANSPORT as error:
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
