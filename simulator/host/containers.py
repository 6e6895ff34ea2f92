"""The containers of one machine. Each is a worker's process, which is restarted as Docker restarts it."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import simulator
from simulator.host.disk import Container, Disk
from simulator.host.loading import keep_compiled, load, why_not
from simulator.host.model import MachineModel
from simulator.host.worker.plan import Plan
from simulator.scenario import Scenario

_FIRST_BACKOFF: Final = 0.1
_LAST_BACKOFF: Final = 60.0
_IMPORTABLE_FROM: Final = Path(simulator.__file__).parents[1]


class Containers:
    """Owns the tasks that keep containers running. The disk holds their descriptions."""

    def __init__(
        self,
        disk: Disk,
        address: str,
        scenario: Scenario,
        environment: Mapping[str, str],
        model: MachineModel | None = None,
    ) -> None:
        """With a `model`, loads take the time of a real machine."""
        self._disk = disk
        self._model = model
        self._address = address
        self._scenario = scenario
        self._environment = environment
        self._running: dict[str, asyncio.Task[None]] = {}

    def boot(self) -> None:
        """Start the containers that have a restart policy."""
        for container in self._disk.contents.containers.values():
            if container.restarts:
                self._start(container)

    def run(self, container: Container) -> None:
        self._disk.contents.containers[container.name] = container
        self._start(container)

    async def remove(self, name: str) -> None:
        """Kill it and delete it."""
        container = self._disk.contents.containers.pop(name)
        self._disk.save()
        await self._end(name)
        self._disk.log_of(container).unlink(missing_ok=True)

    async def power_off(self) -> None:
        for name in list(self._running):
            await self._end(name)

    def _start(self, container: Container) -> None:
        container.running = True
        self._disk.save()
        self._running[container.name] = asyncio.create_task(self._keep(container), name=f"container-{container.id}")

    async def _end(self, name: str) -> None:
        task = self._running.pop(name, None)
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def _keep(self, container: Container) -> None:
        """Docker waits 100 ms before it restarts a container, then twice as long each time, up to a minute."""
        backoff = _FIRST_BACKOFF
        again = False
        while True:
            log = self._disk.log_of(container)
            container.running, container.exit_code, container.started_at = True, 0, time.time()
            container.printed_before = log.stat().st_size if log.exists() else 0
            self._disk.save()
            container.exit_code = await self._run_once(container, again=again)
            again = True
            container.running, container.finished_at = False, time.time()
            container.restart_count += container.restarts
            self._disk.save()
            if not container.restarts:
                return
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _LAST_BACKOFF)

    async def _run_once(self, container: Container, *, again: bool) -> int:
        """Returns the exit status. A worker that died once does not start `again`; only its engine may."""
        scenario = self._scenario
        plan = Plan(
            image=container.image,
            address=self._address,
            # A published port leads to the worker only if the worker listens on the container port.
            ports={str(container.container_port): container.host_port} if container.host_port else {},
            # The worker is a process of this computer, and finds there what a container would have mounted.
            folders={"/etc/coldstart/tls": str(container.tls)} if container.tls else {},
            first_line_at=time.time() + scenario.worker_start,
            load_seconds=None if self._model else scenario.model_load,
            never_loads=scenario.never_loads,
            dies_after_ready=scenario.dies_after_ready,
            engine_dies_after_ready=None if again else scenario.engine_dies_after_ready,
            engine_hangs_at=scenario.engine_hangs_at,
            dead_engine=scenario.dead_engine,
            token_seconds=scenario.token,
            fails_with=scenario.worker_fails_with or why_not(container),
            broken=again and scenario.dies_after_ready is not None,
        )
        log = os.open(self._disk.log_of(container), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "simulator.host.worker", *container.arguments,
                # Nobody writes to this pipe. It closes when this process ends, and then the worker ends, too.
                stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, cwd=_IMPORTABLE_FROM,
                env={**container.environment, **self._environment, **plan.environment()},
            )  # fmt: skip
        finally:
            os.close(log)
        try:
            if self._model is not None and process.stdin is not None:
                await self._paced(process, process.stdin, self._model, container)
            elif plan.fails_with is None and not plan.never_loads:
                keep_compiled(container)
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _paced(
        self,
        process: asyncio.subprocess.Process,
        worker: asyncio.StreamWriter,
        model: MachineModel,
        container: Container,
    ) -> None:
        """Tell the worker how far its load is, until that is over or the worker has ended."""

        def tell(share: float) -> None:
            if process.returncode is None:
                worker.write(f"{share:.6f}\n".encode())

        loading = asyncio.ensure_future(load(model, container, tell))
        ended = asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait({loading, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loading.cancel()
            ended.cancel()
            await asyncio.wait({loading, ended})
        if not loading.cancelled():
            loading.result()


def new_id() -> str:
    """Docker's ids are 64 hexadecimal digits."""
    return secrets.token_hex(32)
