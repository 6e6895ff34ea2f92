"""The servers that the stack needs and that were not given."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from coldstart.embedded.nats import EmbeddedNats
from coldstart.embedded.postgres import EmbeddedPostgres
from coldstart.embedded.server import EmbeddedServer


@dataclass(frozen=True)
class RunningServers:
    """Where NATS and PostgreSQL are, and which of them are ours.

    `nats_url` is the operator's; `nats_url_of` a user of `shared.bus.accounts`, None where the server was given.
    """

    nats_url: str
    database_url: str
    embedded: tuple[EmbeddedServer, ...]
    nats_url_of: Callable[[str], str | None]

    async def one_ended(self) -> None:
        """Raise ServerEndedError once an embedded server ends by itself; returns at once if there is none.

        A task for as long as the stack runs; cancel it before the servers are stopped.
        """
        watching = [asyncio.create_task(server.ended()) for server in self.embedded]
        try:
            for first in asyncio.as_completed(watching):
                await first
        finally:
            for task in watching:
                task.cancel()


def _unknown(_: str) -> None:
    """Which users a server has that is somebody else's."""


@asynccontextmanager
async def servers(data_dir: Path, nats_url: str | None, database_url: str | None) -> AsyncIterator[RunningServers]:
    """Start what is not given, below `data_dir`; with both URLs given, nothing is started or written.

    Raises EmbeddedServerError if one cannot start.
    """
    async with AsyncExitStack() as cleanup:
        embedded: list[EmbeddedServer] = []
        nats_url_of: Callable[[str], str | None] = _unknown
        if nats_url is None:
            nats = await cleanup.enter_async_context(EmbeddedNats(data_dir))
            embedded.append(nats)
            nats_url, nats_url_of = nats.url, nats.url_of
        if database_url is None:
            postgres = await cleanup.enter_async_context(EmbeddedPostgres(data_dir))
            embedded.append(postgres)
            database_url = postgres.url
        yield RunningServers(nats_url, database_url, tuple(embedded), nats_url_of)
