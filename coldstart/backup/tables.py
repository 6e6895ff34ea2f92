"""What only PostgreSQL holds, copied within one transaction. The read model is left out: the stream has its events."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from shared.postgres.connection import Connection, connecting
from shared.postgres.statements import statement

KEPT: Final = (
    "organizations",
    "models",
    "offerings",
    "api_keys",
    "usage",
    "used_sign_in_links",
    "beginnings",
    "deployment_load",
    "webhooks",
    "webhook_deliveries",
    "webhook_replays",
    "webhook_checkpoint",
    "audit_log",
)
"""In an order in which each refers only to those before it."""
_CHUNK_BYTES: Final = 1_000_000

Put = Callable[[str, bytes], Awaitable[None]]
"""Stores a chunk of a table."""


@asynccontextmanager
async def snapshot_of_tables(database_url: str) -> AsyncGenerator[Connection]:
    """A connection that sees one state, whatever others write meanwhile."""
    async with (
        connecting(database_url, name="coldstart backup", command_timeout_s=None) as database,
        database.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield database


async def columns(database: Connection, table: str) -> list[str]:
    return [row["column_name"] for row in await database.fetch(_sql("columns"), table)]


async def schema_version(database: Connection) -> int:
    """The newest migration that was applied."""
    return int(await database.fetchval(_sql("schema_version")))


async def save(database: Connection, table: str, named: Sequence[str], put: Put) -> None:
    """Put the table's rows, in PostgreSQL's text format for COPY, in chunks."""
    collected = bytearray()

    async def take(data: bytes) -> None:
        collected.extend(data)
        if len(collected) >= _CHUNK_BYTES:
            await put(table, bytes(collected))
            collected.clear()

    await database.copy_from_table(table, schema_name="public", columns=named, output=take)
    if collected:
        await put(table, bytes(collected))


async def load(database: Connection, table: str, named: Sequence[str], chunks: AsyncIterator[bytes]) -> int:
    """Returns the number of rows."""
    status = await database.copy_to_table(table, schema_name="public", columns=named, source=chunks)
    return int(status.rpartition(" ")[2])


async def was_used(database: Connection) -> bool:
    """Whether Coldstart has ever used this database."""
    return bool(await database.fetchval(_sql("was_used")))


def _sql(name: str) -> str:
    return statement("coldstart.backup", name)
