"""Starts the servers that the stack needs and whose URLs were not given."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from coldstart.embedded.keeping import kept
from coldstart.embedded.nats import EmbeddedNats
from coldstart.embedded.postgres import EmbeddedPostgres
from coldstart.embedded.server import EmbeddedServer


@dataclass(frozen=True)
class RunningServers:
    """The URLs of NATS and PostgreSQL, and those of them that we started (`embedded`) and start again (`keeping`).

    `nats_url` is the operator's. `nats_url_of` takes a user's name from `shared.bus.accounts`; it returns None for a
    server that we did not start.
    """

    nats_url: str
    database_url: str
    embedded: tuple[EmbeddedServer, ...]
    keeping: tuple[asyncio.Task[NoReturn], ...]
    nats_url_of: Callable[[str], str | None]

    async def given_up(self) -> None:
        """Raises EmbeddedServerError when an embedded server ended too often. Returns at once if there is none."""
        if self.keeping:
            ended, _ = await asyncio.wait(self.keeping, return_when=asyncio.FIRST_COMPLETED)
            for keeping in ended:
                keeping.result()


def store_folders(embedded: Iterable[EmbeddedServer]) -> dict[str, str]:
    """The api's setting that names the folders of these servers."""
    folders = {server.name: str(server.folder.data) for server in embedded}
    return {"COLDSTART_STORE_FOLDERS": json.dumps(folders)} if folders else {}


def _unknown(_: str) -> None:
    """The users of a server that we did not start are not known."""


@asynccontextmanager
async def servers(data_dir: Path, nats_url: str | None, database_url: str | None) -> AsyncIterator[RunningServers]:
    """Start a server in `data_dir` for each URL that is None, and again whenever it ends, with the same URL.

    With both URLs, nothing is started or written. Raises EmbeddedServerError if a server cannot start.
    """
    async with AsyncExitStack() as cleanup:
        nats = None if nats_url else EmbeddedNats(data_dir)
        postgres = None if database_url else EmbeddedPostgres(data_dir)
        embedded = tuple(server for server in (nats, postgres) if server)
        keeping = [await cleanup.enter_async_context(kept(server)) for server in embedded]
        yield RunningServers(
            nats_url or (nats.url if nats else ""),
            database_url or (postgres.url if postgres else ""),
            embedded,
            tuple(keeping),
            nats.url_of if nats else _unknown,
        )
