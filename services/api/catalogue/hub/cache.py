"""What the hub told lately of a model: it is asked once by all who ask at the same time, and again after a while."""

import time
from collections.abc import Callable
from typing import Final

from services.api.catalogue.hub.client import Found, Lookup, Lookups, RateLimited, Unreachable
from services.api.catalogue.hub.single_flight import Kept

_OF_A_REFUSAL: Final = 0.1
"""The share of its time that a refusal is kept for: a model appears, or a licence is accepted."""


class HubCache:
    """An answer is kept for `seconds`, a refusal for a tenth of that, and that there was no answer not at all."""

    def __init__(self, hub: Lookups, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._kept = Kept(hub.look_up, self._lasting, monotonic=monotonic)

    async def look_up(self, model: str) -> Lookup:
        """As the hub's. A caller who gives up takes the answer from nobody else, and it is kept all the same."""
        return await self._kept.answer(model)

    def close(self) -> None:
        """Whoever still waits is cancelled."""
        self._kept.close()

    def _lasting(self, lookup: Lookup) -> float:
        match lookup:
            case Unreachable() | RateLimited():
                return 0.0
            case Found():
                return self._seconds
            case _:
                return self._seconds * _OF_A_REFUSAL
