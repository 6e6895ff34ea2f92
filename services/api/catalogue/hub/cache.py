"""Caches the hub's recent answers about models; concurrent callers share one request."""

import time
from collections.abc import Callable
from typing import Final

from services.api.catalogue.hub.client import Found, HubUnreachable, Lookup, Lookups, RateLimited, Reply
from services.api.catalogue.hub.contents import Contents
from services.api.catalogue.hub.single_flight import SingleFlightCache

_OF_A_REFUSAL: Final = 0.1
"""Refusals are cached for this share of the time: a model may appear, or a licence may be accepted."""


class HubCache:
    """An answer is cached for `seconds`, a refusal for a tenth of that, a missing answer not at all."""

    def __init__(self, hub: Lookups, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._cache = SingleFlightCache(hub.look_up, self._lasting, monotonic=monotonic)
        self._contents: SingleFlightCache[tuple[str, str | None], Reply] = SingleFlightCache(
            lambda asked: hub.contents(*asked), self._lasting, monotonic=monotonic
        )

    async def look_up(self, model: str) -> Lookup:
        """Like the hub's. If one caller gives up, the others still get the answer, and it is cached."""
        return await self._cache.answer(model)

    async def contents(self, model: str, revision: str | None) -> Reply:
        """As `look_up`."""
        return await self._contents.answer((model, revision))

    def close(self) -> None:
        """Cancels all waiting callers."""
        self._cache.close()
        self._contents.close()

    def _lasting(self, lookup: Lookup | Reply) -> float:
        match lookup:
            case HubUnreachable() | RateLimited():
                return 0.0
            case Found() | Contents():
                return self._seconds
            case _:
                return self._seconds * _OF_A_REFUSAL
