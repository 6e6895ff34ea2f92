"""Health processes that doubt what they see, as long as they say so: `/readyz` warns of them."""

import time
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import structlog
from nats.aio.msg import Msg
from prometheus_client import Gauge
from pydantic import ValidationError

from shared.observation import EVERY_S, Doubt

FORGOTTEN_S: Final = 3 * EVERY_S
"""How long a doubt counts that is not repeated: its process may have ended."""

_doubting: Final = Gauge("coldstart_doubting_observers", "Health processes that take their view for an outage")

log = structlog.get_logger()


class Observers:
    """`clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[UUID, tuple[float, Doubt]] = {}
        _doubting.set_function(lambda: len(self.warnings))

    async def on_message(self, message: Msg) -> None:
        try:
            doubt = Doubt.model_validate_json(message.data)
        except ValidationError as error:
            log.warning("doubt of a health process not understood", reason=str(error))
            return
        self._heard.pop(doubt.observer, None)
        if not doubt.is_over:
            self._heard[doubt.observer] = (self._clock(), doubt)

    @property
    def warnings(self) -> Sequence[str]:
        """One sentence for each process in doubt."""
        oldest = self._clock() - FORGOTTEN_S
        self._heard = {observer: heard for observer, heard in self._heard.items() if heard[0] >= oldest}
        return [doubt.warning for _, doubt in self._heard.values()]
