"""What has to be done now and then: old deliveries are deleted, and the gauges are set."""

import asyncio
from typing import Final, NoReturn

import structlog
from prometheus_client import Gauge

from services.webhooks.deliveries import Deliveries
from shared.clock import CLOCK
from shared.postgres.connection import DATABASE_ERRORS

_EVERY_S: Final = 30.0

_waiting: Final = Gauge("coldstart_webhooks_waiting", "Messages that are still to be delivered")
_failing: Final = Gauge("coldstart_webhooks_failing", "Webhooks whose last try has failed")
_off: Final = Gauge("coldstart_webhooks_off", "Webhooks that are off because they failed")

log = structlog.get_logger()


async def keep_house(deliveries: Deliveries) -> NoReturn:
    """The owner cancels it."""
    while True:
        try:
            await deliveries.delete_old(CLOCK.now())
            numbers = await deliveries.numbers()
            _waiting.set(numbers["waiting"])
            _failing.set(numbers["failing"])
            _off.set(numbers["switched_off"])
        except DATABASE_ERRORS as error:
            log.warning("old deliveries not deleted", reason=repr(error))
        await asyncio.sleep(_EVERY_S)
