"""The worker's log over SSH: commands that only read, on a connection with a pinned host key."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True)
class _State:
    """Of the container. The times are of its last start and its last end, if it had them."""

    status: str
    exit_code: int
    started_at: datetime | None
    finished_at: datetime | None


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
        return None if told is None or told.status == _RUNNING else f"container {told.status} ({told.exit_code})"

    async def follow(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[str | WorkerEnd]:
        async with self._slots:
            try:
                async with self._shell.open(address, host_keys) as session:
                    state = await _state(session)
                    if end := await _last_end(session, state):
                        yield end
                    async with aclosing(session.run(COMMAND, None)) as printed:
                        async for line in printed:
                            if isinstance(line, str):
                                yield line
                    followed_since = state.started_at if state else None
                    # Before Docker starts it again, its exit status is known.
                    if end := await _last_end(session, await _state(session), followed_since):
                        yield end
            except MachineError as error:
                why = type(error.__cause__ or error).__name__  # never the machine's own words
                raise LogUnavailable(f"{address} cannot be read over SSH: {why}") from error


async def _last_end(
    session: SshSession, state: _State | None, followed_since: datetime | None = None
) -> WorkerEnd | None:
    """None if the worker has never ended, or the machine cannot tell. Raises MachineError.

    `followed_since`: when the process began whose end may be this one, if it was seen running.
    """
    if state is None or state.started_at is None or state.finished_at is None:
        return None
    runs = state.started_at > state.finished_at
    began_at = followed_since if runs else state.started_at
    ran = state.finished_at - began_at if began_at and began_at <= state.finished_at else None
    stamped = [match for line in await _said(session, PRINTED) if (match := STAMPED.fullmatch(line))]
    lines = tuple(
        match[2] for match in stamped if not runs or (moment(match[1]) or state.started_at) < state.started_at
    )
    return WorkerEnd(state.finished_at, None if runs else state.exit_code, lines, ran)


async def _state(session: SshSession) -> _State | None:
    told = [match for line in await _said(session, STATE) if (match := _STATE.fullmatch(line))]
    if not told:
        return None
    status, exit_code, started, finished = told[-1].groups()
    return _State(status, int(exit_code), moment(started), moment(finished))


async def _said(session: SshSession, command: str) -> list[str]:
    async with aclosing(session.run(command, None)) as printed:
        return [line async for line in printed if isinstance(line, str)]
