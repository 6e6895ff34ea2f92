"""Asks the event stream's server for its time again and again, so that the process judges by the one clock."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final, NoReturn

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from prometheus_client import Gauge

from shared.clock import CLOCK, Clock, ClockOffset
from shared.journal.streams import LIFECYCLE

EVERY_S: Final = 60.0
TOLD_FROM_S: Final = 2.0
"""From this offset on, people are told."""
_ANSWER_S: Final = 5.0

log = structlog.get_logger()
_offset: Final = Gauge(
    "coldstart_clock_offset_seconds", "How far this process's clock is ahead of the event stream's server's"
)


async def measure(connection: Client, clock: Clock = CLOCK) -> ClockOffset | None:
    """Compare the clocks by one question to the stream's leader; None if there is no answer, or none with a time."""
    began = clock.begin()
    try:
        answer = await connection.request(f"$JS.API.STREAM.INFO.{LIFECYCLE}", timeout=_ANSWER_S)
        server = datetime.fromisoformat(json.loads(answer.data)["ts"])
    except (NatsError, TimeoutError, OSError, ValueError, KeyError) as error:
        log.info("clock not compared", reason=repr(error))
        return None
    measured = clock.learn(server, began)
    _offset.set(measured.ahead_s)
    return measured


def warning(measured: ClockOffset | None) -> str | None:
    """A sentence for people about a clock that is wrong; None about one that is not."""
    if measured is None or abs(measured.ahead_s) - measured.within_s < TOLD_FROM_S:
        return None
    way = "ahead of" if measured.ahead_s > 0 else "behind"
    return (
        f"This machine's clock is {abs(measured.ahead_s):.0f} s {way} that of the event stream's server. The server's "
        "time is used; set both by NTP."
    )


@asynccontextmanager
async def keeping_time(connection: Client, clock: Clock = CLOCK) -> AsyncGenerator[None]:
    """Compare now, and again every minute while the block runs. There has to be a stream already."""
    await _compare(connection, clock)
    keeping = asyncio.create_task(_keep(connection, clock))
    try:
        yield  # not within a task group, which would wrap what the block raises
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep(connection: Client, clock: Clock) -> NoReturn:
    while True:
        await asyncio.sleep(EVERY_S)
        await _compare(connection, clock)


async def _compare(connection: Client, clock: Clock) -> None:
    if told := warning(await measure(connection, clock)):
        log.warning("clock is wrong", detail=told)
