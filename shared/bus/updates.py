"""Events from a plain subscription, without any guarantee: they only shorten a wait."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar
from uuid import UUID

from nats.aio.msg import Msg

from shared.clock import CLOCK
from shared.deployments.deployment import Deployment
from shared.journal.envelope import DEPLOYMENTS, INSTANCES, Undecodable
from shared.lifecycle.instance import Instance

State = TypeVar("State")


class Updates(Generic[State]):
    """What this process subscribes to, by id. `read` returns the state after an event, or raises Undecodable."""

    def __init__(self, read: Callable[[bytes], State]) -> None:
        self._read = read
        self._subscribers: defaultdict[str, set[Callable[[State | None], None]]] = defaultdict(set)

    def __len__(self) -> int:
        return sum(len(subscribers) for subscribers in self._subscribers.values())

    @contextmanager
    def subscribed(self, its_id: UUID, on_update: Callable[[State | None], None]) -> Iterator[None]:
        """`subscribe` while the block runs."""
        self.subscribe(its_id, on_update)
        try:
            yield
        finally:
            self.unsubscribe(its_id, on_update)

    def subscribe(self, its_id: UUID, on_update: Callable[[State | None], None]) -> None:
        """Call `on_update` with the state after every event of that id, and with None if events may have been missed.

        Twice is once.
        """
        self._subscribers[str(its_id)].add(on_update)

    def unsubscribe(self, its_id: UUID, on_update: Callable[[State | None], None]) -> None:
        subscribers = self._subscribers[str(its_id)]
        subscribers.discard(on_update)
        if not subscribers:
            del self._subscribers[str(its_id)]

    async def on_message(self, message: Msg) -> None:
        """The callback of a plain subscription to every event."""
        subscribers = tuple(self._subscribers.get(message.subject.split(".")[1], ()))
        if not subscribers:
            return
        try:
            state = self._read(message.data)
        except Undecodable:
            return  # its consumers make it a dead letter, or leave it to a newer version
        for on_update in subscribers:
            on_update(state)

    def on_reconnect(self) -> None:
        """While the connection was lost, events may have been missed."""
        for subscribers in tuple(self._subscribers.values()):
            for on_update in tuple(subscribers):
                on_update(None)


def instance_after(data: bytes) -> Instance:
    """Raises Undecodable."""
    return INSTANCES.decode_any(data, 0, CLOCK.now()).after


def deployment_after(data: bytes) -> Deployment:
    """Raises Undecodable."""
    return DEPLOYMENTS.decode_any(data, 0, CLOCK.now()).after
