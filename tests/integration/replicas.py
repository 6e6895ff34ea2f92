"""Provisioners as processes of their own, forked from one that has imported everything: started in a moment."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from services.provisioner.app import provider_context, running
from services.provisioner.providers.scaleway import making
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from services.provisioner.settings import ProvisionerSettings
from shared.running import run
from tests.integration.forking import FORKING, write_to


def provision(settings: ProvisionerSettings, scaleway: ScalewaySettings, log_file: str) -> None:
    """The whole life of one process."""
    write_to(log_file)
    run(lambda: running(settings, [making(scaleway, provider_context(settings))]))


@dataclass
class Replicas:
    """By the name that each tells the cloud: `awake` act; `stalled` were stopped in the middle of something."""

    settings: ProvisionerSettings
    scaleway: ScalewaySettings
    log_file: Path
    awake: dict[str, ForkServerProcess] = field(default_factory=dict)
    stalled: dict[str, ForkServerProcess] = field(default_factory=dict)
    started: int = 0

    def start(self) -> None:
        self.started += 1
        name = f"replica-{self.started}"
        scaleway = self.scaleway.model_copy(
            update={"api_url": self.scaleway.api_url.replace("://", f"://{name}:unused@")}
        )
        self.awake[name] = FORKING.Process(target=provision, args=(self.settings, scaleway, str(self.log_file)))
        self.awake[name].start()

    def kill(self, name: str) -> None:
        """kill -9, whatever it is doing."""
        _kill(self.awake.pop(name))

    def stall(self, name: str) -> None:
        """SIGSTOP, whatever it is doing."""
        self.stalled[name] = self.awake.pop(name)
        _signal(self.stalled[name], signal.SIGSTOP)

    def wake(self, name: str) -> None:
        self.awake[name] = self.stalled.pop(name)
        _signal(self.awake[name], signal.SIGCONT)

    def ended(self) -> list[int]:
        """Exit codes of those that ended by themselves."""
        return [replica.exitcode for replica in self.awake.values() if replica.exitcode is not None]

    def kill_all(self) -> None:
        """The stalled ones never wake."""
        for replica in (*self.awake.values(), *self.stalled.values()):
            _kill(replica)
        self.awake, self.stalled = {}, {}


def _kill(replica: ForkServerProcess) -> None:
    replica.kill()
    replica.join()


def _signal(replica: ForkServerProcess, number: signal.Signals) -> None:
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
