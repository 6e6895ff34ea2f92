"""Compacts the stream of a running stack once a day (`services.progress.compaction`), as the operator."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn

import structlog

from coldstart.stack.files import Reach, archive_setting
from coldstart.stack.processes import logging_to
from coldstart.supervised.process import module

_FIRST_AFTER_S: Final = 600.0
"""A start has other things to do."""
_PERIOD_S: Final = 86_400.0
_MODULE: Final = "services.progress"

log = structlog.get_logger()


async def compacting_daily(
    compact: Callable[[], Awaitable[int]], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> NoReturn:
    """`compact` returns an exit status. If it fails, it is tried again the next day."""
    await pause(_FIRST_AFTER_S)
    while True:
        if status := await compact():
            log.warning("compaction failed", status=status, log="compaction.log")
        await pause(_PERIOD_S)


async def compact_once(reach: Reach, data_dir: Path) -> int:
    """Run it as a process of its own, whose log is `compaction.log`. Returns its exit status."""
    urls = {"COLDSTART_NATS_URL": reach.nats_url, "COLDSTART_DATABASE_URL": reach.database_url}
    command = module(_MODULE, {**urls, **archive_setting(data_dir)})
    command = replace(command, options=["-m", _MODULE, "compact"])
    async with logging_to(data_dir / "logs" / "compaction.log", command) as process:
        return await process.wait()
