"""Programs that the benchmark starts, and ends again by what it started."""

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks.router.load import Order, Result
from coldstart.supervised.process import stopped

START_S = 120.0


class NotStarted(Exception):
    """A program ended, or did not serve in time; the end of what it wrote is in the message."""


@asynccontextmanager
async def program(
    *command: str | Path, log: Path, serves: Callable[[], Awaitable[bool]], environment: Mapping[str, str] = os.environ
) -> AsyncGenerator[Process]:
    """Raises NotStarted."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, env=environment)
    try:
        until = time.monotonic() + START_S
        while not await serves():
            if process.returncode is not None or time.monotonic() > until:
                raise NotStarted(end_of(log))
            await asyncio.sleep(0.1)
        yield process
    finally:
        await stopped(process)


def end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


def accepts(host: str, port: int) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            return False
        writer.close()
        return True

    return asked


async def loaded(order: Order) -> Result:
    command = (sys.executable, "-m", "benchmarks.router.load", json.dumps(asdict(order)))
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            await stopped(process)
    return Result(**json.loads(told))
