"""Delays answers to wrong keys, by the client's address."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import structlog
from prometheus_client import Counter

from services.api.access.errors import TooManyWrongKeys
from services.api.http.front.addresses import Remembered, party
from services.api.records.records import OwnRecords, Records
from services.api.records.times import RecordedTimes

_AT_ONCE: Final = 10
_EVERY_S: Final = 1.0
_LONGEST_S: Final = 10.0
_WAITING: Final = 1_000
_QUIET_S: Final = 60.0
_REMEMBERED: Final = 10_000
_TOO_MANY: Final = "This address has sent too many wrong keys. Wait, and look at the key."

_tried: Final = Counter("coldstart_wrong_keys_total", "Keys and sign-in links that were none, or no longer")

log = structlog.get_logger()


class WrongKeys:
    """For each address (IPv6: each /64) ten are answered at once, then one a second; ten may wait for that.

    Only wrong keys count, and only wrong keys wait: a client with a valid key may share its address with anybody.
    Processes that share `records` answer together no more.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        records: Records | None = None,
    ) -> None:
        self._clock = clock
        self._sleep = sleep or self._until_closed
        self._closed = asyncio.Event()
        self._records = records or OwnRecords()
        self._answered = RecordedTimes(records, b"wrong keys") if records else Remembered(_REMEMBERED)
        """For each address, the time until which its answers would take at one a second."""
        self._logged = Remembered(_REMEMBERED)
        self._waiting = 0

    async def came(self, scope: Mapping[str, Any]) -> None:
        """Await this before answering a request with a wrong key. Raises TooManyWrongKeys."""
        delay_s = self._delay_s(party(str((scope.get("client") or ("unknown",))[0])))
        if not delay_s:
            return
        self._waiting += 1
        try:
            await self._sleep(delay_s)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End all waits."""
        self._closed.set()

    async def _until_closed(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closed.wait()

    def _delay_s(self, who: str) -> float:
        now = self._clock()
        _tried.inc()
        if not self._logged.until(who, now):
            log.warning("wrong key", address=who)
        self._logged.remember(who, now + _QUIET_S)
        with self._records:
            until = max(self._answered.until(who, now), now) + _EVERY_S
            delay_s = max(0.0, until - now - _AT_ONCE * _EVERY_S)
            if delay_s > _LONGEST_S or (delay_s and self._waiting >= _WAITING):
                raise TooManyWrongKeys(_TOO_MANY, retry_after_s=math.ceil(max(delay_s - _LONGEST_S, _EVERY_S)))
            self._answered.remember(who, until)
        return delay_s
