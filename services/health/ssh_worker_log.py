"""The worker's log over SSH: commands that only read, on a connection with a pinned host key."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from services.health.settings import HealthSettings
from services.health.worker_log import LogUnavailable, WorkerEnd
from shared.docker import CONTAINER, STAMPED, STATE, TIME, moment
from shared.machine import MachineError
from shared.secrets import SshKey
from shared.ssh import SshSession, SshShell

COMMAND: Final = f"docker logs --follow --tail 2000 {CONTAINER}"
"""Eight files downloaded side by side print a line each per second, so this reaches back some minutes.

It ends with the container's process, even if Docker starts that again (https://github.com/docker/cli/issues/5305).
"""
PRINTED: Final = f"docker logs --timestamps --tail 500 {CONTAINER}"

_STATE: Final = re.compile(rf"([a-z]+) (\d{{1,3}}) ({TIME}) ({TIME})")
_RUNNING: Final = "running"
_PATIENCE_S: Final = 3.0
"""How long the news of an outage may wait for the state of the container."""


class SshWorkerLog:
    """Signs in as root with `client_key`; at most `settings.logs_at_once` connections are open at any time."""

    def __init__(self, client_key: SshKey, settings: HealthSettings) -> None:
        self._shell = SshShell(
            client_key=client_key,
            port=settings.ssh_port,
            connect_timeout_s=settings.log_connect_seconds,
            keepalive_s=settings.log_connect_seconds,
        )
        self._slots = asyncio.Semaphore(settings.logs_at_once)

    async def container(self, address: str, host_keys: Sequence[str]) -> str | None:
        try:
            async with asyncio.timeout(_PATIENCE_S), self._slots, self._shell.open(address, host_keys) as session:
                told = await _state(session)
        except (MachineError, TimeoutError):
            return None
        return None if told is None or told[1] == _RUNNING else f"container {told[1]} ({told[2]})"

    async def follow(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[str | WorkerEnd]:
        async with self._slots:
            try:
                async with self._shell.open(address, host_keys) as session:
                    if end := await last_end(session):
                        yield end
                    async with aclosing(session.run(COMMAND, None)) as printed:
                        async for line in printed:
                            if isinstance(line, str):
                                yield line
                    if end := await last_end(session):  # before Docker starts it again, its exit status is known
                        yield end
            except MachineError as error:
                why = type(error.__cause__ or error).__name__  # never the machine's own words
                raise LogUnavailable(f"{address} cannot be read over SSH: {why}") from error


async def last_end(session: SshSession) -> WorkerEnd | None:
    """None if the worker has never ended, or the machine cannot tell. Raises MachineError."""
    told = await _state(session)
    if told is None:
        return None
    _, exit_code, started, finished = told.groups()
    started_at, finished_at = moment(started), moment(finished)
    if finished_at is None or started_at is None:
        return None
    runs = started_at > finished_at
    stamped = [match for line in await _said(session, PRINTED) if (match := STAMPED.fullmatch(line))]
    lines = tuple(match[2] for match in stamped if not runs or (moment(match[1]) or started_at) < started_at)
    return WorkerEnd(finished_at, None if runs else int(exit_code), lines)


async def _state(session: SshSession) -> re.Match[str] | None:
    told = [match for line in await _said(session, STATE) if (match := _STATE.fullmatch(line))]
    return told[-1] if told else None


async def _said(session: SshSession, command: str) -> list[str]:
    async with aclosing(session.run(command, None)) as printed:
        return [line async for line in printed if isinstance(line, str)]
