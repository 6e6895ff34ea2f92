"""The providers' statuses as the api last read them: `/readyz` and the metrics ask for them at any time."""

import asyncio
from collections.abc import Sequence
from typing import Final, NoReturn

import structlog
from nats.errors import Error as NatsError
from prometheus_client import Gauge

from shared.offers.provider_status import ProviderStatus, ProviderStatuses

EVERY_S: Final = 10.0

_usable: Final = Gauge(
    "coldstart_provider_usable", "1 if something can be launched at the provider, else 0", ["provider"]
)

log = structlog.get_logger()


class KnownStatuses:
    """Empty until a provisioner has published one. What cannot be read anew stays as it was."""

    def __init__(self, statuses: ProviderStatuses) -> None:
        self._statuses = statuses
        self.known: Sequence[ProviderStatus] = ()

    async def read(self) -> None:
        try:
            self.known = await self._statuses.of_all()
        except (NatsError, TimeoutError, OSError) as error:
            log.warning("provider statuses not read", reason=repr(error))
            return
        _usable.clear()
        for status in self.known:
            _usable.labels(status.provider).set(status.reason is None)

    async def run(self) -> NoReturn:
        """The owner cancels it."""
        while True:
            await self.read()
            await asyncio.sleep(EVERY_S)
