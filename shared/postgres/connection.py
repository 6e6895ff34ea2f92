"""Connections that speak JSON, name themselves, and give up on a server that no longer answers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

import asyncpg

from shared.retry import doubled_s, retried_for_ever
from shared.running import StartRefused
from shared.service_manager import told_while_waiting

CONNECT_TIMEOUT_S: Final = 10.0
COMMAND_TIMEOUT_S: Final = 30.0
CLOSE_TIMEOUT_S: Final = 5.0
_KEEP_ALIVE: Final = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}
"""So that the server releases the locks of a host that vanished."""

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PooledConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
AnyConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"


DATABASE_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What an operation raises if the server goes away during it. InternalClientError comes when the server's goodbye
reaches an idle connection that is about to be used."""

DOWN: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""Raised when there is no server, or it hangs, starts, stops or lets nobody in (a TimeoutError is an OSError)."""

AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    OSError,
)
"""Raised when there is no server yet, or it starts, stops or is full: what passes without a change of settings."""


async def _speak_json(connection: Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


@asynccontextmanager
async def connect_pool(
    url: str,
    *,
    name: str,
    min_size: int = 1,
    max_size: int = 10,
    command_timeout_s: float = COMMAND_TIMEOUT_S,
    waits: bool = False,
) -> AsyncGenerator[Pool]:
    """A pool whose connections accept and return `jsonb` as decoded JSON; `name` is shown in pg_stat_activity.

    `waits` for a server that is away, as services do. Raises StartRefused.
    """

    async def opened() -> Pool:
        return await asyncpg.create_pool(
            url,
            min_size=min_size,
            max_size=max_size,
            init=_speak_json,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=command_timeout_s,
            server_settings={"application_name": name},
        )

    try:
        pool = await (_once_there(url, opened) if waits else opened())
    except (*DATABASE_ERRORS, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise StartRefused(f"PostgreSQL cannot be used: {reason}. Look at COLDSTART_DATABASE_URL.") from error
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await pool.close()
        except TimeoutError:
            pool.terminate()


async def _once_there(url: str, opened: Callable[[], Awaitable[Pool]]) -> Pool:
    """The pool, once there is a server that accepts connections."""
    at = url.rpartition("@")[2].rpartition("//")[2].partition("?")[0]
    async with told_while_waiting("PostgreSQL", at, "COLDSTART_DATABASE_URL") as failed:
        return await retried_for_ever(
            opened, *AWAY, pause_s=lambda failures: doubled_s(failures, _FIRST_PAUSE_S, _LONGEST_PAUSE_S), failed=failed
        )


@asynccontextmanager
async def connecting(
    url: str,
    *,
    name: str,
    command_timeout_s: float | None = COMMAND_TIMEOUT_S,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    server_settings: dict[str, str] | None = None,
) -> AsyncGenerator[Connection]:
    """A separate connection, for what belongs to a session: advisory locks, LISTEN, a search path."""
    connection = await asyncpg.connect(
        url,
        timeout=connect_timeout_s,
        command_timeout=command_timeout_s,
        server_settings={"application_name": name, **_KEEP_ALIVE, **(server_settings or {})},
    )
    try:
        await _speak_json(connection)
        yield connection
    finally:
        with suppress(*DATABASE_ERRORS):  # broken, or hanging: asyncpg has then closed it
            await connection.close(timeout=min(CLOSE_TIMEOUT_S, command_timeout_s or CLOSE_TIMEOUT_S))
