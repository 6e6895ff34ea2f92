# Made from coldstart_client/aio/events.py by `make docs`: change that.
"""Events as they happen, without a gap or a repetition."""

from collections.abc import Generator
from contextlib import closing
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from coldstart_client.addresses import path
from coldstart_client.blocking.connection import Connection
from coldstart_client.messages import DeploymentEvent, Event, InstanceEvent, Message, message_of


class Events:
    """They raise ApiError or NoAnswer if the stream does not open, and ApiError if it is refused later.

    A stream that is lost is opened again behind the last event; what was recorded meanwhile comes first. EventsLost:
    the api no longer has that place. StreamLost: it stayed away for longer than `patience_s`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def position(self) -> str:
        """The present end of the events: `follow(after=…)` tells what is recorded from now on."""
        return self._connection.position()

    def follow(
        self,
        *,
        instance_id: UUID | str | None = None,
        after: str = "",
        begin: datetime | Literal["start"] | None = None,
        patience_s: float | None = None,
    ) -> Generator[Event]:
        """All events that the key may see, or those of one instance. Endless.

        `after`: behind the event with this `position`; it wins over `begin`. `begin`: with the first event, or the
        first one recorded at this moment or later; by default with the next one. `patience_s`: how long a lost api may
        stay away; None: for ever.
        """
        messages = self.messages(instance_id=instance_id, after=after, begin=begin, patience_s=patience_s)
        with closing(messages):
            for message in messages:
                if isinstance(message, InstanceEvent | DeploymentEvent):
                    yield message

    def messages(
        self,
        *,
        instance_id: UUID | str | None = None,
        after: str = "",
        begin: datetime | Literal["start"] | None = None,
        patience_s: float | None = None,
    ) -> Generator[Message]:
        """Like `follow`, with the estimates of starting instances, and with Connected whenever the stream is opened.

        Connected with `away_s` says that it was lost for so long; the events that were recorded meanwhile come next.
        """
        where = path("events") if instance_id is None else path("instances", instance_id, "events")
        query: dict[str, Any] = {"from": begin.isoformat() if isinstance(begin, datetime) else begin}
        with self._connection.follow(where, query=query, after=after, patience_s=patience_s) as stream:
            for message in stream:
                yield message_of(message)
