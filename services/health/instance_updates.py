"""Events from a plain subscription, without any guarantee: they only shorten a watch's wait."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

from nats.aio.msg import Msg

from shared.journal.envelope import Undecodable, decode
from shared.lifecycle.instance import Instance

OnUpdate = Callable[[Instance | None], None]
"""Takes the instance after an event, or None if events may have been missed."""


class InstanceUpdates:
    """The watches of this process, by the instance to which they subscribe."""

    def __init__(self) -> None:
        self._subscribers: defaultdict[str, set[OnUpdate]] = defaultdict(set)

    def __len__(self) -> int:
        return sum(len(subscribers) for subscribers in self._subscribers.values())

    @contextmanager
    def subscribed(self, instance_id: UUID, on_update: OnUpdate) -> Iterator[None]:
        """Call `on_update` for every event of that instance while the block runs."""
        key = str(instance_id)
        self._subscribers[key].add(on_update)
        try:
            yield
        finally:
            self._subscribers[key].discard(on_update)
            if not self._subscribers[key]:
                del self._subscribers[key]

    async def on_message(self, message: Msg) -> None:
        """The callback of a plain subscription to every event."""
        subscribers = tuple(self._subscribers.get(message.subject.split(".")[1], ()))
        if not subscribers:
            return
        try:
            instance = decode(message.data, 0, datetime.now(UTC)).instance
        except Undecodable:
            return  # its consumers make it a dead letter, and what they record arrives here too
        for on_update in subscribers:
            on_update(instance)

    def on_reconnect(self) -> None:
        """While the connection was lost, events may have been missed."""
        for subscribers in tuple(self._subscribers.values()):
            for on_update in tuple(subscribers):
                on_update(None)
