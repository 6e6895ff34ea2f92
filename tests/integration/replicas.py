"""Provisioners as processes of their own, forked from one that has imported everything: started in a moment."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

from services.provisioner.app import running
from services.provisioner.providers.scaleway import ScalewaySettings
from services.provisioner.settings import ProvisionerSettings
from shared.running import run

_FORKING: Final = get_context("forkserver")
_FORKING.set_forkserver_preload(["services.provisioner.app", "shared.running"])


def provision(settings: ProvisionerSettings, scaleway: ScalewaySettings, log_file: str) -> None:
    """The whole life of one process."""
    output = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    run(lambda: running(settings, scaleway))


@dataclass
class Replicas:
    """`awake` act; `stalled` have been stopped in the middle of something, and may be woken."""

    settings: ProvisionerSettings
    scaleway: ScalewaySettings
    log_file: Path
    awake: list[ForkServerProcess] = field(default_factory=list)
    stalled: list[ForkServerProcess] = field(default_factory=list)

    def start(self) -> None:
        replica = _FORKING.Process(target=provision, args=(self.settings, self.scaleway, str(self.log_file)))
        replica.start()
        self.awake.append(replica)

    def kill_all(self) -> None:
        """kill -9, whatever they are doing; the stalled ones never wake."""
        for replica in [*self.awake, *self.stalled]:
            replica.kill()
            replica.join()
        self.awake, self.stalled = [], []

    def stall_all(self) -> None:
        """SIGSTOP, whatever they are doing."""
        for replica in self.awake:
            self._signal(replica, signal.SIGSTOP)
        self.stalled += self.awake
        self.awake = []

    def wake_all(self) -> None:
        for replica in self.stalled:
            self._signal(replica, signal.SIGCONT)
        self.awake += self.stalled
        self.stalled = []

    def ended(self) -> list[int]:
        """Exit codes of those that ended by themselves."""
        return [replica.exitcode for replica in self.awake if replica.exitcode is not None]

    def _signal(self, replica: ForkServerProcess, number: signal.Signals) -> None:
        assert replica.pid is not None
        os.kill(replica.pid, number)


@asynccontextmanager
async def replicas(
    settings: ProvisionerSettings, scaleway: ScalewaySettings, log_file: Path
) -> AsyncGenerator[Replicas]:
    """One that acts already; all are killed in the end."""
    all_of_them = Replicas(settings, scaleway, log_file)
    await asyncio.to_thread(all_of_them.start)  # the first one starts the process that the others are forked from
    try:
        yield all_of_them
    finally:
        all_of_them.kill_all()
