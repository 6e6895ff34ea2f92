"""Processes that own embedded servers, and something to keep in them."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import nats
import psutil
from nats.js.api import StreamConfig

PROJECT: Final = Path(__file__).parents[2]
OWNER: Final = Path(__file__).with_name("own_servers.py")


@dataclass(frozen=True)
class Owner:
    """A process that owns embedded servers, and the whole families of both."""

    process: Process
    nats_url: str
    database_url: str
    pids: list[int]

    def family(self) -> list[psutil.Process]:
        servers = [psutil.Process(pid) for pid in self.pids]
        return [*servers, *(child for server in servers for child in server.children(recursive=True))]

    async def killed(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def owner(
    data_dir: Path, *, python: str = sys.executable, uid: int | None = None, path: str = str(PROJECT)
) -> AsyncIterator[Owner]:
    process = await asyncio.create_subprocess_exec(
        *(python, str(OWNER), str(data_dir), *([] if uid is None else [str(uid)])),
        stdin=PIPE,
        stdout=PIPE,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            line = await process.stdout.readline()
        yield Owner(process, **json.loads(line))
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()  # it may be stopped, and would never end by itself
        raise
    finally:
        process.stdin.close()
        async with asyncio.timeout(30):
            await process.wait()


async def gone(processes: list[psutil.Process]) -> None:
    async with asyncio.timeout(120):
        while any(is_alive(process) for process in processes):  # noqa: ASYNC110 (nobody announces another's end)
            await asyncio.sleep(0.01)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # PostgreSQL's workers come and go
            process.kill()


async def keep_something(nats_url: str, database_url: str) -> None:
    client = await nats.connect(nats_url)
    stream = client.jetstream()
    await stream.add_stream(StreamConfig(name="KEPT", subjects=["kept"]))
    await stream.publish("kept", b"message")
    await client.close()
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE kept (word text)")
    await connection.execute("INSERT INTO kept VALUES ('row')")
    await connection.close()


async def what_was_kept(nats_url: str, database_url: str) -> tuple[bytes | None, str]:
    client = await nats.connect(nats_url)
    message = await client.jetstream().get_last_msg("KEPT", "kept")
    await client.close()
    connection = await asyncpg.connect(database_url)
    word: str = await connection.fetchval("SELECT word FROM kept")
    await connection.close()
    return message.data, word


KEPT: Final = (b"message", "row")
