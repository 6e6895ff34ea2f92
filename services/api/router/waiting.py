"""Holds requests until an instance is ready: a bounded number, for a bounded time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from services.api.access.api_keys import ApiKey
from services.api.router import metrics
from services.api.router.breakers import Breakers
from services.api.router.nearest import Nearest
from services.api.router.refusal import Refusal
from services.api.router.table import RoutingTable
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import ENDING
from shared.lifecycle.words import loss, where

Beat = Callable[[Instance], Awaitable[None]]
"""Called regularly with the instance that the request waits for."""
_RETRY_AFTER: Final = {"Retry-After": "5"}


class Waiting:
    """`most` requests at once, `most_each` of one organisation, `most_a_key` of one key.

    Each for at most `longest_s`, with a heartbeat every `heartbeat_s`.
    """

    def __init__(
        self,
        table: RoutingTable,
        breakers: Breakers,
        nearest: Nearest,
        *,
        most: int,
        most_each: int,
        most_a_key: int,
        longest_s: float,
        heartbeat_s: float,
    ) -> None:
        self._table = table
        self._breakers = breakers
        self._nearest = nearest
        self._most = most
        self._longest_s = longest_s
        self._heartbeat_s = heartbeat_s
        self._most_each = most_each
        self._most_a_key = most_a_key
        self._held = set[asyncio.Timeout]()
        self._by_key: Counter[UUID] = Counter()
        self._by_organization: Counter[UUID | None] = Counter()

    async def until_ready(self, model: str, key: ApiKey, seconds: float, beat: Beat) -> None:
        """Return when a worker is ready, none can be expected any more, or the time is up. Raises Refusal."""
        self._expect_room(key)
        organization = key.organization_id
        self._by_key[key.id] += 1
        self._by_organization[organization] += 1
        try:
            with suppress(TimeoutError), metrics.waiting.track_inprogress():
                async with asyncio.timeout(min(seconds, self._longest_s)) as limit:
                    self._held.add(limit)
                    try:
                        await self._wait(model, organization, beat)
                    finally:
                        self._held.discard(limit)
        finally:
            self._by_key[key.id] -= 1
            self._by_organization[organization] -= 1

    def stop(self) -> None:
        """For every request that waits now, the time is up."""
        for limit in self._held:
            limit.reschedule(asyncio.get_running_loop().time())

    def _expect_room(self, key: ApiKey) -> None:
        if self._by_key[key.id] >= self._most_a_key:
            raise _too_many(429, f"{self._most_a_key} requests of this key already wait for an instance")
        if key.organization_id and self._by_organization[key.organization_id] >= self._most_each:
            raise _too_many(429, f"{self._most_each} requests of your organization already wait for an instance")
        if len(self._held) >= self._most:
            raise _too_many(503, f"{self._most} requests already wait for an instance")

    async def _wait(self, model: str, organization: UUID | None, beat: Beat) -> None:
        loop = asyncio.get_running_loop()
        while True:
            changed = self._table.next_change(model)
            if self._breakers.usable(self._table.workers(model, organization)):
                return
            nearest = self._nearest.of(model, organization, datetime.now(UTC))
            if nearest is None or nearest.status in ENDING:
                return
            await beat(nearest)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(loop.time() + self._heartbeat_s):
                    await changed.wait()


def _too_many(status: int, message: str) -> Refusal:
    whole = f"{message}. Try again later, or send the request without X-Wait-For-Ready."
    return Refusal(status, "too_many_waiting", whole, headers=_RETRY_AFTER)


def heartbeat(instance: Instance) -> bytes:
    """A comment in a server-sent event stream: clients ignore it, connections stay open, people can read it."""
    place = loss(instance) or where(instance.status, instance.step)
    return f": {instance.status} {instance.progress_percent} % {place}\n\n".encode()
