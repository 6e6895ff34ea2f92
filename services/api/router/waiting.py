"""Holds requests until an instance is ready: a bounded number, for a bounded time. Deployments wake for them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from services.api.access.api_keys import ApiKey
from services.api.router import metrics
from services.api.router.breakers import Breakers
from services.api.router.held_up import delay_of_waking, held_up
from services.api.router.load_counts import Hold, LoadCounts
from services.api.router.nearest import Nearest
from services.api.router.refusal import Refusal
from services.api.router.table import RoutingTable
from services.api.router.tried import Tried
from shared.clock import CLOCK
from shared.deployments.deployment import Deployment
from shared.lifecycle.instance import Instance
from shared.lifecycle.words import loss, where

Beat = Callable[[Instance | Deployment], Awaitable[None]]
"""Called regularly with what the request waits for: an instance, or a deployment that has none yet."""
_TO_TELL_S: Final = 1.0
_SHARED_S: Final = 1.0
_RETRY_AFTER: Final = {"Retry-After": "5"}


class MostWaiting(NamedTuple):
    """Requests at once: of the process, of one organisation, of one key."""

    together: int
    of_an_organization: int
    of_a_key: int


class _Seen(NamedTuple):
    """The deployment that wakes for a request, and what the request waits for; `at` by the event loop's clock."""

    at: float
    deployment: Deployment | None
    awaited: Instance | Deployment | None


class Waiting:
    """Each request waits for at most `longest_s`, with a heartbeat every `heartbeat_s`."""

    def __init__(
        self,
        table: RoutingTable,
        breakers: Breakers,
        nearest: Nearest,
        counts: LoadCounts,
        *,
        most: MostWaiting,
        longest_s: float,
        heartbeat_s: float,
    ) -> None:
        self._table = table
        self._breakers = breakers
        self._nearest = nearest
        self._counts = counts
        self._most = most
        self._longest_s = longest_s
        self._heartbeat_s = heartbeat_s
        self._held = set[asyncio.Timeout]()
        self._by_key: Counter[UUID] = Counter()
        self._by_organization: Counter[UUID | None] = Counter()
        self._seen: WeakKeyDictionary[asyncio.Event, dict[tuple[UUID | None, frozenset[UUID]], _Seen]]
        self._seen = WeakKeyDictionary()

    async def until_ready(self, model: str, key: ApiKey, tried: Tried, seconds: float, beat: Beat) -> UUID | None:
        """Return when another worker is ready, none can be expected any more, or the time is up. Raises Refusal.

        Returns the deployment that it has waited for, if any.
        """
        self._expect_room(key)
        organization = key.organization_id
        self._by_key[key.id] += 1
        self._by_organization[organization] += 1
        try:
            with self._counts.holding() as hold:
                with suppress(TimeoutError), metrics.waiting.track_inprogress():
                    async with asyncio.timeout(min(seconds, self._longest_s)) as limit:
                        self._held.add(limit)
                        try:
                            await self._wait(model, organization, tried, beat, hold)
                        finally:
                            self._held.discard(limit)
                return hold.last
        finally:
            self._by_key[key.id] -= 1
            self._by_organization[organization] -= 1

    def stop(self) -> None:
        """For every request that waits now, the time is up."""
        for limit in self._held:
            limit.reschedule(asyncio.get_running_loop().time())

    def _expect_room(self, key: ApiKey) -> None:
        most = self._most
        if self._by_key[key.id] >= most.of_a_key:
            raise _too_many(429, f"{most.of_a_key} requests of this key already wait for an instance")
        if key.organization_id and self._by_organization[key.organization_id] >= most.of_an_organization:
            raise _too_many(
                429, f"{most.of_an_organization} requests of your organization already wait for an instance"
            )
        if len(self._held) >= most.together:
            raise _too_many(503, f"{most.together} requests already wait for an instance")

    async def _wait(self, model: str, organization: UUID | None, tried: Tried, beat: Beat, hold: Hold) -> None:
        loop = asyncio.get_running_loop()
        while True:
            changed = self._table.next_change(model)
            workers = self._table.workers(model, organization)
            if self._breakers.usable(tried.others(workers)) or tried.has_returned(workers):
                return
            seen = self._look(changed, model, organization, tried)
            hold.on(seen.deployment.id if seen.deployment else None)
            if seen.awaited is None:
                return
            await beat(seen.awaited)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(loop.time() + self._heartbeat_s):
                    await changed.wait()

    def _look(self, changed: asyncio.Event, model: str, organization: UUID | None, tried: Tried) -> _Seen:
        """All who wait for the same share what one of them has seen, until the next change or for a second."""
        seen, now_s = self._seen.setdefault(changed, {}), asyncio.get_running_loop().time()
        found = seen.get((organization, tried.instance_ids))
        if found is None or now_s - found.at > _SHARED_S:
            deployment = self._counts.deployments.waking(model, organization)
            nearest = self._nearest.of(model, organization, now := CLOCK.now(), tried.instance_ids)
            may_come = nearest is not None and self._nearest.may_come(nearest, now)
            found = _Seen(now_s, deployment, nearest if may_come else deployment)
            seen[organization, tried.instance_ids] = found
        return found


def _too_many(status: int, message: str) -> Refusal:
    whole = f"{message}. Try again later, or send X-Wait-For-Ready: 0 to be answered at once."
    return Refusal(status, "too_many_waiting", whole, headers=_RETRY_AFTER)


def hold_s(hold: float, patience_s: float) -> float:
    """For how long a deployment's request waits whose client did not say, but leaves after `patience_s` seconds.

    The client hears the answer before. Infinite for a stream: it has begun by then, and its comments keep the client.
    """
    return min(hold, max(patience_s - _TO_TELL_S, 0.0))


def heartbeat(awaited: Instance | Deployment, at: datetime) -> bytes:
    """A comment in a server-sent event stream: clients ignore it, connections stay open, people can read it."""
    if isinstance(awaited, Deployment):
        delay = delay_of_waking(awaited, at)
        return f": deployment {awaited.name} is waking{f': {held_up(delay, at)}' if delay else ''}\n\n".encode()
    instance = awaited
    place = loss(instance) or where(instance.status, instance.step)
    why = f": {held_up(instance.delay, at)}" if instance.delay else ""
    return f": {instance.status} {instance.progress_percent} % {place}{why}\n\n".encode()
