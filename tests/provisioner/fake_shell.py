"""A machine in memory. It runs an install as the real script does: once per try, for all who attach."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.provisioner.install.script import PHASES, SUPERSEDED
from services.provisioner.worker_output import COMMAND as WORKER_OUTPUT
from shared.machine import Exited, KeyRefused, Unreachable, WrongHostKey

ALL_PHASES = tuple(f"::phase::{name}\n" for name in PHASES)


@dataclass(frozen=True)
class Outcome:
    """What one run prints, and its exit status. With `until`, it exits only when that is set."""

    lines: tuple[str, ...] = ALL_PHASES
    status: int = 0
    until: asyncio.Event | None = None


@dataclass
class Run:
    attempt: int
    attempt_try: int
    outcome: Outcome
    ended: bool = False


@dataclass
class FakeShell:
    """`host_key` is what the machine answers with; its first run that reaches the phase host_key changes it.

    `refuse` connections fail, then `refuse_key` sign-ins; `drop_after` are the lines after which the next connections
    break, with `broken`.
    """

    host_key: str
    new_host_key: str
    outcomes: deque[Outcome] = field(default_factory=deque)
    refuse: int = 0
    refuse_key: int = 0
    drop_after: deque[int] = field(default_factory=deque)
    broken: BaseException = field(default_factory=lambda: Unreachable("the connection broke"))
    runs: list[Run] = field(default_factory=list)
    connections: list[Sequence[str]] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    worker_output: tuple[str, ...] = ()
    at_once: int = 0
    most_at_once: int = 0

    @asynccontextmanager
    async def open(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator["FakeSession"]:
        self.connections.append(tuple(host_keys))
        await asyncio.sleep(0)
        if self.refuse > 0:
            self.refuse -= 1
            raise Unreachable(f"{address} refuses")
        if self.host_key not in host_keys:
            raise WrongHostKey(f"{address} has another host key")
        if self.refuse_key > 0:
            self.refuse_key -= 1
            raise KeyRefused(f"{address} does not let our SSH key in")
        yield FakeSession(self, self.host_key)

    def run_of(self, stdin: bytes) -> Run | None:
        """The run to attach to, which is begun if there is none. None if a later one is known."""
        attempt, attempt_try = (
            int(re.findall(rf"^{name}=(\d+)$", stdin.decode(), re.MULTILINE)[0])
            for name in ("COLDSTART_ATTEMPT", "COLDSTART_TRY")
        )
        last = self.runs[-1] if self.runs else None
        if last is not None:
            if (last.attempt, last.attempt_try) > (attempt, attempt_try):
                return None
            same_try = last.attempt_try == attempt_try or last.outcome.status == 0 or not last.ended
            if last.attempt == attempt and same_try:
                return last
        self.runs.append(Run(attempt, attempt_try, self.outcomes.popleft() if self.outcomes else Outcome()))
        return self.runs[-1]


@dataclass
class FakeSession:
    shell: FakeShell
    host_key: str

    async def run(self, command: str, stdin: bytes) -> AsyncGenerator[str | Exited]:
        if command == WORKER_OUTPUT:
            for line in self.shell.worker_output:
                yield line
            yield Exited(0)
            return
        assert command == "bash -s"
        self.shell.received.append(stdin)
        run = self.shell.run_of(stdin)
        if run is None:
            yield Exited(SUPERSEDED)
            return
        drop_after = self.shell.drop_after.popleft() if self.shell.drop_after else None
        for number, line in enumerate(run.outcome.lines):
            if number == drop_after:
                raise self.shell.broken
            if line == "::phase::host_key\n":
                self.shell.host_key = self.shell.new_host_key
            yield line
        if run.outcome.until is not None:
            await run.outcome.until.wait()
        run.ended = True
        yield Exited(run.outcome.status)
