"""Events heard as the stream takes them in, without any promise: they only shorten a watch's wait."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

from nats.aio.msg import Msg

from shared.journal.envelope import Undecodable, decode
from shared.lifecycle.instance import Instance

Told = Callable[[Instance | None], None]
"""Takes the instance after an event, or None when some may have been missed."""


class Passing:
    """Which watches of this process want to hear of which instance."""

    def __init__(self) -> None:
        self._told: defaultdict[str, set[Told]] = defaultdict(set)

    def __len__(self) -> int:
        return sum(len(told) for told in self._told.values())

    @contextmanager
    def telling(self, instance_id: UUID, told: Told) -> Iterator[None]:
        """Call `told` for every event of that instance while the block runs."""
        key = str(instance_id)
        self._told[key].add(told)
        try:
            yield
        finally:
            self._told[key].discard(told)
            if not self._told[key]:
                del self._told[key]

    async def heard(self, message: Msg) -> None:
        """The callback of a plain subscription to every event."""
        watches = tuple(self._told.get(message.subject.split(".")[1], ()))
        if not watches:
            return
        try:
            instance = decode(message.data, 0, datetime.now(UTC)).instance
        except Undecodable:
            return  # its consumers put it aside, and what they make of it passes here too
        for told in watches:
            told(instance)

    def reconnected(self) -> None:
        """While the connection was away, anything may have passed."""
        for watches in tuple(self._told.values()):
            for told in tuple(watches):
                told(None)
