"""The instances that hold something at a provider, by the journal. It needs only NATS, not the services."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from shared.bus.connection import connected_once
from shared.journal.errors import JournalUnavailable
from shared.journal.journal import Journal
from shared.journal.streams import LIFECYCLE
from shared.lifecycle.errors import LifecycleError
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.instance import Instance

_AT_ONCE: Final = 100
_CONNECT_S: Final = 5
_PATIENCE_S: Final = 30.0
_REQUESTED: Final = f"lifecycle.*.{InstanceRequested.__name__}"


class JournalUnreadable(Exception):
    """It cannot be found out which instances hold something; the message says why."""


async def standing(nats_url: str, *, timeout_s: float = _PATIENCE_S) -> list[Instance]:
    """Instances that are not released yet, oldest first: live, ending, failed, kept. Raises JournalUnreadable."""
    try:
        async with asyncio.timeout(timeout_s):
            found = await _all(nats_url)
    except NotFoundError:
        raise JournalUnreadable(f"there is no stream {LIFECYCLE}") from None
    except TimeoutError:
        raise JournalUnreadable("it did not answer in time") from None
    except (NatsError, OSError, ValueError, JournalUnavailable, LifecycleError) as error:
        raise JournalUnreadable(repr(error)) from error
    return sorted((each for each in found if not each.resources.released), key=lambda each: each.created_at)


async def _all(nats_url: str) -> list[Instance]:
    async with connected_once(nats_url, timeout_s=_CONNECT_S) as connection:
        info = await connection.jetstream().stream_info(LIFECYCLE, subjects_filter=_REQUESTED)
        journal = Journal(connection, actor="coldstart", source="/coldstart")
        ids = [UUID(subject.split(".")[1]) for subject in info.state.subjects or {}]
        found: list[Instance] = []
        for first in range(0, len(ids), _AT_ONCE):
            found += await asyncio.gather(*map(journal.load, ids[first : first + _AT_ONCE]))
        return found


def simulated(instance: Instance) -> bool:
    """Whether it is simulated: the simulated cloud gives its machines loopback addresses."""
    return instance.ip_address is not None and instance.ip_address.startswith("127.")


def by_the_hour(instances: Sequence[Instance]) -> dict[str, float]:
    """The hourly cost of their servers that are on, by currency, as far as the price is known."""
    sums: dict[str, float] = {}
    for each in instances:
        if each.server_on and each.hourly_price is not None:
            currency = each.currency or ""
            sums[currency] = sums.get(currency, 0.0) + each.hourly_price
    return sums


async def _unsaid(error: Exception) -> None:
    """The error that is raised is reported once, and more briefly."""
