"""One service as a process of its own, on a tapped wire to NATS, so that it can be killed at an exact moment."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nats.aio.msg import Msg
from pydantic import AliasChoices, SecretStr
from pydantic_settings import BaseSettings, NoDecode

from shared.bus.connection import connect
from shared.journal.streams import EVERY_EVENT, LIFECYCLE
from tests.integration.forking import Forked
from tests.nats_proxy import Operation, nats_proxy

PATIENCE_S = 120.0
ACKNOWLEDGEMENTS = frozenset({b"", b"+ACK"})
"""https://docs.nats.io/nats-concepts/jetstream/consumers: an empty one counts, and that is what nats-py sends."""
Moment = Literal["before", "after"]


def type_of(message: Msg) -> str:
    """The event's, by the message's subject."""
    return message.subject.rpartition(".")[2]


def environment_of(settings: BaseSettings) -> dict[str, str]:
    """The environment from which this settings object would be read."""
    prefix = settings.model_config.get("env_prefix") or ""
    environment = {}
    for name, info in type(settings).model_fields.items():
        value = getattr(settings, name)
        alias = info.validation_alias
        if isinstance(alias, AliasChoices):
            alias = str(alias.choices[0])
        if value is not None:
            plain = any(one is NoDecode for one in info.metadata)
            text = (
                str(value)
                if not isinstance(value, tuple)
                else ",".join(map(str, value))
                if plain
                else json.dumps(value)
            )
            text = value.get_secret_value() if isinstance(value, SecretStr) else text
            environment[alias if isinstance(alias, str) else f"{prefix}{name}".upper()] = text
    return environment


@dataclass
class Victim:
    """Dies once at every event of the stream, by its name: before it acknowledges the event, or right after.

    What it does not hold as a lease it acknowledges to nobody: there it dies as soon as the event is recorded.
    """

    service: Forked
    moment: Moment
    acknowledges: frozenset[str]
    killed_at: list[str] = field(default_factory=list)
    _events: dict[int, str] = field(default_factory=dict)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)
    _told_to: int = 0
    _killing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def killed_at_all(self, events: list[str]) -> None:
        """Until it has died at each of these, and is back. It never does after what another one acknowledges for it."""
        async with asyncio.timeout(PATIENCE_S):
            for event in dict.fromkeys(events):
                await self._until_killed(event)
            await self._back()

    @property
    def recorded_events(self) -> frozenset[str]:
        """What all events so far are named."""
        return frozenset(self._events.values())

    async def _back(self) -> int:
        """The process that serves after the last kill: a new one each time."""
        while self.service.starts <= len(self.killed_at):  # noqa: ASYNC110  its end is noticed by its supervisor only
            await asyncio.sleep(0.02)
        await self.service.serving()
        assert self.service.pid is not None
        return self.service.pid

    async def _until_killed(self, event: str) -> None:
        async with self._more:
            await self._more.wait_for(lambda: event in self.killed_at)

    async def recorded(self, sequence: int, event: str) -> None:
        """Told of each event as soon as it is in the stream."""
        async with self._more:
            self._events[sequence] = event
            self._more.notify_all()
        if self.moment == "before" or event not in self.acknowledges:
            await self._kill(event)
        async with self._more:
            self._told_to = sequence
            self._more.notify_all()

    async def told_to(self, sequence: int) -> None:
        """Until it has died at all up to this one at which it dies as soon as they are recorded."""
        async with asyncio.timeout(PATIENCE_S), self._more:
            await self._more.wait_for(lambda: self._told_to >= sequence)

    async def to_server(self, operation: Operation) -> bool:
        """An acknowledgement that comes before the kill is lost with it."""
        event = await self._acknowledged(operation)
        if event is None or self.moment == "after" or event in self.killed_at:
            return True
        await self._kill(event)
        return False

    async def passed_to_server(self, operation: Operation) -> None:
        event = await self._acknowledged(operation)
        if event is not None and self.moment == "after":
            await self._kill(event)

    async def _acknowledged(self, operation: Operation) -> str | None:
        """The event that this acknowledges; None for any other operation."""
        if not operation.subject.startswith("$JS.ACK.LIFECYCLE.") or _payload(operation) not in ACKNOWLEDGEMENTS:
            return None
        sequence = int(operation.subject.split(".")[5])
        async with self._more:
            await self._more.wait_for(lambda: sequence in self._events)
        return self._events[sequence]

    async def _kill(self, event: str) -> None:
        async with self._killing:
            if event in self.killed_at:
                return
            os.kill(await self._back(), signal.SIGKILL)
            self.killed_at.append(event)
        async with self._more:
            self._more.notify_all()


def _payload(operation: Operation) -> bytes:
    return operation.raw.partition(b"\r\n")[2].removesuffix(b"\r\n")


@asynccontextmanager
async def victim(
    module: str,
    settings: list[BaseSettings],
    *,
    moment: Moment,
    acknowledges: frozenset[str],
    nats_url: str,
    folder: Path,
    named: Callable[[Msg], str] = type_of,
) -> AsyncGenerator[Victim]:
    """The service `module` on its tapped wire, killed as `moment` says and started again each time.

    `named`: events of one name are one to it. Those that it acknowledges have the name of their type.
    """
    async with nats_proxy(nats_url) as proxy:
        environment = {name: value for part in settings for name, value in environment_of(part).items()}
        environment["COLDSTART_NATS_URL"] = proxy.url
        dying = Victim(Forked(module, environment, folder / "victim.log"), moment, acknowledges)
        connection = await connect(nats_url, "the victim's shadow")

        async def recorded(message: Msg) -> None:
            await dying.recorded(message.metadata.sequence.stream, named(message))

        async with dying.service.supervised():
            await connection.jetstream().subscribe(EVERY_EVENT, stream=LIFECYCLE, cb=recorded, ordered_consumer=True)
            proxy.to_server = dying.to_server
            proxy.passed_to_server = dying.passed_to_server
            try:
                yield dying
            finally:
                await connection.close()
