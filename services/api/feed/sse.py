"""Server-sent events of the lifecycle, resumable from any position without a gap or a repetition.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

from services.api.access.api_keys import ApiKey, KnownApiKeys
from services.api.estimates.estimates import Estimates
from services.api.feed.feed import Feed
from services.api.feed.published import Interest, Published
from services.api.feed.stream_place import StreamPlace
from services.api.http.event_stream import EventStream
from shared.clock import CLOCK, seconds

_PING: Final = b": ping\n"
"""Without an empty line: some clients dispatch an event at every one, even after a mere comment."""


Begin: TypeAlias = datetime | Literal["start"] | None
"""Where a stream begins without a Last-Event-ID: at a time, at the first event, or (None) at the next one."""


class EventSource:
    """`ping_s`: the interval of pings on a silent stream; `stall_s`: how long a client may stop reading.

    `estimate_s`: how often an estimate is sent for each starting instance, besides after its events.
    """

    def __init__(
        self,
        feed: Feed,
        known: KnownApiKeys,
        estimates: Estimates,
        *,
        estimate_s: float,
        ping_s: float,
        stall_s: float,
        max_backlog: int,
    ) -> None:
        self._feed = feed
        self._known = known
        self._estimates = estimates
        self._estimate_s = estimate_s
        self._ping_s = ping_s
        self._max_backlog = max_backlog
        self._stall_s = stall_s

    def stream(
        self,
        owner: ApiKey,
        *,
        until: int | None,
        last_event_id: str | None,
        instance_id: UUID | None,
        begin: Begin,
    ) -> EventStream:
        """A response that lasts until the client leaves, its key is revoked, or the service stops.

        It also ends at `until`, in seconds since 1970: the end of the session that opened it.
        """
        messages = self._messages(
            Interest(owner.organization_id, instance_id), last_event_id=last_event_id, begin=begin
        )

        def allowed() -> bool:
            return self._known.keys.holds(owner.id) and (until is None or seconds() < until)

        return EventStream(messages, self._stall_s, allowed)

    async def _messages(self, interest: Interest, *, last_event_id: str | None, begin: Begin) -> AsyncGenerator[bytes]:  # noqa: C901, PLR0912, PLR0915 - one loop with all that may come next
        """Messages for the wire, until the feed ends the subscription.

        The first one has the position after which they begin, so that a client can resume before its first event.
        Raises ReadingInterrupted: the client resumes later. A place that the stream does not have gets a `reset` and
        counts as not given.
        """
        with self._feed.subscription(interest, self._max_backlog) as subscription:
            joined = self._feed.place
            place = await self._beginning(begin, joined)
            if last_event_id is not None:
                resumed = StreamPlace.read(last_event_id)
                if resumed is None or not await self._feed.issued(resumed):
                    yield _reset(place, last_event_id)
                else:
                    place = resumed
            yield _connected(place)
            after = place.sequence
            if after < joined.sequence:
                async with aclosing(self._feed.replay(after, interest)) as history:
                    async for published in history:
                        after = published.recorded.sequence
                        yield self._message(published)
            due: set[UUID] = set()
            clock = asyncio.get_running_loop().time
            ping_at, estimate_at = clock() + self._ping_s, clock()
            while True:
                if clock() >= estimate_at:
                    due = self._followed(interest)
                    estimate_at = clock() + self._estimate_s
                if due and subscription.idle:
                    for estimate in self._sent(due):
                        yield estimate
                        ping_at = clock() + self._ping_s
                    due = set()
                try:
                    async with asyncio.timeout_at(min(ping_at, estimate_at)):
                        live = await subscription.next()
                except TimeoutError:
                    if clock() >= ping_at:
                        yield _PING
                        ping_at = clock() + self._ping_s
                    continue
                if live is None:
                    return
                if live.recorded.sequence > after:
                    yield self._message(live)
                    ping_at = clock() + self._ping_s
                    due.add(live.recorded.after.id)

    def _followed(self, interest: Interest) -> set[UUID]:
        """The starting instances that the client follows."""
        return {instance.id for instance in self._estimates.launching.values() if interest.covers(instance)}

    def _sent(self, instances: Iterable[UUID]) -> Iterator[bytes]:
        """One estimate for each starting instance. Without an id: only events say where a client resumes."""
        now = CLOCK.now()
        for instance_id in instances:
            instance = self._estimates.launching.get(instance_id)
            eta = instance and self._estimates.of(instance, now)
            if instance and eta:
                estimate = {
                    "instance_id": str(instance.id),
                    "version": instance.version,
                    "eta": eta.model_dump(mode="json"),
                }
                yield f"event: estimate\ndata: {json.dumps(estimate)}\n\n".encode()

    async def _beginning(self, begin: Begin, joined: StreamPlace) -> StreamPlace:
        match begin:
            case datetime():
                before = await self._feed.before(begin)
                return joined if before is None else StreamPlace(joined.epoch, before)
            case "start":
                return StreamPlace(joined.epoch, 0)
            case None:
                return joined

    def _message(self, published: Published) -> bytes:
        recorded = published.recorded
        place = StreamPlace(self._feed.epoch, recorded.sequence, published.mark)
        head = f"id: {place}\nevent: {recorded.type}\n"
        return b"%sdata: %s\n\n" % (head.encode(), published.described)


def _connected(place: StreamPlace) -> bytes:
    """An id without data: a client stores it as its last one, and dispatches no event."""
    return f": connected\nid: {place}\n\n".encode()


def _reset(place: StreamPlace, given: str) -> bytes:
    detail = "No event has the given Last-Event-ID here; load what you show anew, these events begin at `position`."
    data = json.dumps({"last_event_id": given, "position": str(place), "detail": detail})
    return f"id: {place}\nevent: reset\ndata: {data}\n\n".encode()
