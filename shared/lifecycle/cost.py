"""What an instance has cost: the list price of its server for the time that it was on. Computed on read."""

from datetime import datetime, timedelta
from typing import Final

from shared.lifecycle.instance import Instance

_HOUR: Final = timedelta(hours=1)


def cost(instance: Instance, at: datetime) -> float | None:
    """The cost up to `at`, in the instance's currency; None while its price is unknown."""
    if instance.hourly_price is None:
        return None
    on = sum((max((period.until or at) - period.since, timedelta()) for period in instance.powered), timedelta())
    return instance.hourly_price * (on / _HOUR)
