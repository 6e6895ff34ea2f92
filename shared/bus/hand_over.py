"""Work that is due and that nobody holds is handed over again.

A cluster of NATS servers that die can forget a message of a consumer, held or not yet delivered. Then nobody would ever
act for that instance or deployment again. A hand-over too many does no harm: every action is safe when two do it.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, Generic, TypeVar

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from prometheus_client import Counter

from shared.bus.dead_letters import hold_again
from shared.bus.topology import REPLAYS, Trigger
from shared.journal.streams import LIFECYCLE

AT_ONCE: Final = 100
"""So many hand-overs in one look; the others have their turn in the next ones."""

_again: Final = Counter("coldstart_handed_over_again_total", "Work that was due and that nobody held", ["consumer"])
log = structlog.get_logger()

Place = TypeVar("Place", bound=Hashable)


class Unheld(Generic[Place]):
    """What was wanted and held by nobody in every look, and for how long. Pure, but for its clock."""

    def __init__(self, after_s: float, clock: Callable[[], float]) -> None:
        self._after_s = after_s
        self._clock = clock
        self._since: dict[Place, float] = {}

    def look(self, missing: Iterable[Place]) -> list[Place]:
        """Those that have been missing for `after_s` seconds; each counts from the beginning then."""
        at = self._clock()
        self._since = {place: self._since.get(place, at) for place in missing}
        overdue = [place for place, since in self._since.items() if at - since >= self._after_s][:AT_ONCE]
        for place in overdue:
            del self._since[place]
        return overdue


async def all_was_taken(connection: Client, trigger: Trigger[Any]) -> bool:
    """Whether nothing that was handed over still waits. Else the holders are full, and more would only pile up."""
    return not (await connection.jetstream().consumer_info(REPLAYS, trigger.replays)).num_pending


async def hand_over(connection: Client, trigger: Trigger[Any], message: Msg) -> None:
    """Have this message of the stream, as a direct get returns it, held by anybody."""
    sequence, subject = place_of(message)
    log.warning("work that nobody holds", consumer=trigger.durable, subject=subject)
    place = {"origin": f"{LIFECYCLE}:{sequence}", "subject": subject}
    key = f"held-by-nobody:{trigger.durable}:{sequence}"
    await hold_again(connection.jetstream(), trigger.durable, message.data, **place, key=key)
    _again.labels(trigger.durable).inc()


def place_of(message: Msg) -> tuple[int, str]:
    """Sequence and subject in the stream of what a direct get returned."""
    headers = message.headers or {}
    return int(headers["Nats-Sequence"]), headers["Nats-Subject"]
