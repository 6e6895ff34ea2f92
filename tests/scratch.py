"""Servers for tests: the real ones, without the waiting for a disk that outlives no test."""

import asyncio
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self
from uuid import uuid4

import asyncpg

from coldstart.embedded.nats import EmbeddedNats
from coldstart.embedded.ports import HOST
from coldstart.embedded.postgres import EmbeddedPostgres
from coldstart.supervised.process import Command
from shared.postgres.connection import connect_pool
from shared.postgres.migrate import migrate

_ACCOUNTS: Final = 200
_GIVEN_BACK_S: Final = 5.0
_LARGE: Final = (
    "SELECT string_agg(format('%I', relname), ', ') FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_migrations' "
    "AND pg_relation_size(oid) > 65536"
)
"""Names of the tables that are larger than eight pages."""
_FORGETFUL: Final = ("--fsync=off", "--synchronous_commit=off", "--full_page_writes=off")


class ScratchPostgres(EmbeddedPostgres):
    """Loses what it holds when the machine does."""

    def command(self, port: int) -> Command:
        command = super().command(port)
        return replace(command, options=[*command.options, *_FORGETFUL])


class ScratchNats(EmbeddedNats):
    """Has many accounts, each as empty as a new server: none hears another's messages or sees its streams."""

    stop_signal = signal.SIGKILL  # it would write down the state of every stream, for a quarter of a minute

    def command(self, port: int) -> Command:
        command = super().command(port)
        accounts = {f"test-{number}": self._account(f"test-{number}") for number in range(_ACCOUNTS)}
        configuration = {
            "server_name": "scratch",
            "listen": f"{HOST}:{port}",
            "jetstream": {"store_dir": str(self.folder.data), "max_memory_store": 64_000_000},
            "accounts": {"coldstart": self._account("coldstart"), **accounts},
        }
        Path(command.options[-1]).write_text(json.dumps(configuration), encoding="utf-8")
        return command

    def urls(self) -> Iterator[str]:
        """Of every account, each once."""
        for number in range(_ACCOUNTS):
            yield self.url.replace("://coldstart:", f"://test-{number}:", 1)

    def _account(self, user: str) -> dict[str, object]:
        return {"jetstream": "enabled", "users": [{"user": user, "password": self.folder.password("password")}]}


async def new_database(server_url: str, template: str = "template1") -> tuple[str, str]:
    """Its name and URL; a copy of `template`, which nobody may be connected to."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    finally:
        await connection.close()
    return name, f"{server_url.rpartition('/')[0]}/{name}"


@dataclass
class Databases:
    """Databases with the project's tables and no rows. To empty one costs a hundredth of making one.

    A table that was large is truncated: once analyzed after a DELETE it counts as empty for the planner, however many
    rows the next test puts where the deleted ones were, and joining a batch with it takes minutes.
    """

    server_url: str
    template: str
    empty: str
    free: list[str] = field(default_factory=list)

    @classmethod
    async def of(cls, server_url: str) -> Self:
        name, url = await new_database(server_url)
        async with connect_pool(url, name="test") as pool:
            await migrate(pool)
            tables = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [_rows_of(table) for (table,) in tables if table != "schema_migrations"]
        return cls(server_url, name, f"WITH {', '.join(rows)} SELECT")

    async def take(self) -> str:
        return self.free.pop() if self.free else (await new_database(self.server_url, self.template))[1]

    async def give_back(self, url: str) -> None:
        """It is used again, unless somebody still holds its rows or lets nobody connect."""
        try:
            async with asyncio.timeout(_GIVEN_BACK_S):
                connection = await asyncpg.connect(url)
                try:
                    await connection.execute(self.empty)
                    if large := await connection.fetchval(_LARGE):
                        await connection.execute(f"TRUNCATE {large} CASCADE")
                finally:
                    await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return
        self.free.append(url)


def _rows_of(table: str) -> str:
    return f"{table} AS (DELETE FROM {table})"  # noqa: S608 - a table of our own
