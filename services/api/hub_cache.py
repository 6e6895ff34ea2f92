"""What the hub told lately: it is asked once by all who ask at the same time, and again only after a while."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.api.hub import Found, Lookup, Lookups, RateLimited, Unreachable

_MOST: Final = 1_000
"""Answers that are kept; past it the oldest goes."""
_OF_A_REFUSAL: Final = 0.1
"""The share of its time that a refusal is kept for: a model appears, or a licence is accepted."""


@dataclass(frozen=True)
class _Told:
    lookup: Lookup
    until: float


class HubCache:
    """An answer is kept for `seconds`, a refusal for a tenth of that, and that there was no answer not at all."""

    def __init__(self, hub: Lookups, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self._seconds = seconds
        self._monotonic = monotonic
        self._told: dict[str, _Told] = {}
        self._asking: dict[str, asyncio.Task[Lookup]] = {}

    async def look_up(self, model: str) -> Lookup:
        """As the hub's. A caller who gives up takes the answer from nobody else, and it is kept all the same."""
        told = self._told.get(model)
        if told is not None and self._monotonic() < told.until:
            return told.lookup
        if model not in self._asking:
            self._asking[model] = asyncio.create_task(self._ask(model))
        return await asyncio.shield(self._asking[model])

    def close(self) -> None:
        """Whoever still waits is cancelled."""
        for task in self._asking.values():
            task.cancel()

    async def _ask(self, model: str) -> Lookup:
        try:
            lookup = await self._hub.look_up(model)
        finally:
            del self._asking[model]
        match lookup:
            case Unreachable() | RateLimited():
                return lookup
            case Found():
                self._keep(model, lookup, self._seconds)
            case _:
                self._keep(model, lookup, self._seconds * _OF_A_REFUSAL)
        return lookup

    def _keep(self, model: str, lookup: Lookup, seconds: float) -> None:
        self._told.pop(model, None)
        self._told[model] = _Told(lookup, self._monotonic() + seconds)
        if len(self._told) > _MOST:
            del self._told[next(iter(self._told))]
