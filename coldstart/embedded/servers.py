"""Starts the servers that the stack needs and whose URLs were not given."""

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
    """The URLs of NATS and PostgreSQL, and those of them that we started (`embedded`).

    `nats_url` is the operator's. `nats_url_of` takes a user's name from `shared.bus.accounts`; it returns None for a
    server that we did not start.
    """

    nats_url: str
    database_url: str
    embedded: tuple[EmbeddedServer, ...]
    nats_url_of: Callable[[str], str | None]

    async def one_ended(self) -> None:
        """Raises ServerEndedError when an embedded server ends by itself. Returns at once if there is none.

        Run it as a task while the stack runs, and cancel it before the servers are stopped.
        """
        watching = [asyncio.create_task(server.ended()) for server in self.embedded]
        try:
            for first in asyncio.as_completed(watching):
                await first
        finally:
            for task in watching:
                task.cancel()


def _unknown(_: str) -> None:
    """The users of a server that we did not start are not known."""


@asynccontextmanager
async def servers(data_dir: Path, nats_url: str | None, database_url: str | None) -> AsyncIterator[RunningServers]:
    """Start a server in `data_dir` for each URL that is None. With both URLs, nothing is started or written.

    Raises EmbeddedServerError if a server cannot start.
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
