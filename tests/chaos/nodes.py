"""Three NATS servers that are one JetStream, with the accounts of production; any of them can be killed and stalled."""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from string import Template
from typing import Final

from nats.errors import Error as NatsError
from nats.js.errors import APIError

from coldstart.embedded.nats import _program
from coldstart.supervised.process import BARE, Command, running
from shared.bus.accounts import OPERATOR, services
from shared.bus.connection import connected_once
from shared.bus.nats_configuration import configuration, quoted
from tests.api.fakes import free_port
from tests.chaos.faults import NODES

PASSWORD: Final = "p-of-the-chaos"
WITHIN_S: Final = 60.0
_HEAD: Final = Template("""\
server_name: "$name"
listen: "127.0.0.1:$port"
cluster { name: "chaos", listen: "127.0.0.1:$route", routes: [$routes] }
""")


class Node:
    """One server, whose data outlives its processes."""

    def __init__(self, file: Path, folder: Path, port: int) -> None:
        self.port = port
        self._file = file
        self._folder = folder
        self._life = AsyncExitStack()
        self._process: Process | None = None

    async def start(self) -> None:
        log = self._life.enter_context((self._folder / "log").open("ab"))
        command = Command(_program(), ["--config", str(self._file)], self._folder, signal.SIGTERM, environment=BARE)
        self._process = await self._life.enter_async_context(running(command, log.fileno()))

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        await self.close()

    async def close(self) -> None:
        self._process = None
        await self._life.aclose()

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP and SIGCONT; a server that is not running is left alone."""
        if self._process is not None and self._process.returncode is None:
            os.kill(self._process.pid, number)


class Cluster:
    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.nodes = nodes

    def url(self, user: str = OPERATOR) -> str:
        return ",".join(f"nats://{user}:{PASSWORD}@127.0.0.1:{node.port}" for node in self.nodes)

    async def leader_steps_down(self, stream: str) -> bool:
        """Whether it was heard: without a quorum there is no leader."""
        try:
            async with connected_once(self.url(), timeout_s=5.0) as connection:
                await connection.request(f"$JS.API.STREAM.LEADER.STEPDOWN.{stream}", b"", timeout=5)
        except (OSError, NatsError, TimeoutError):
            return False
        return True


@asynccontextmanager
async def cluster(folder: Path) -> AsyncGenerator[Cluster]:
    """All nodes, once a stream can have three replicas."""
    ports, routes = [free_port() for _ in range(NODES)], [free_port() for _ in range(NODES)]
    others = ", ".join(f'"nats://127.0.0.1:{route}"' for route in routes)
    async with AsyncExitStack() as cleanup:
        nodes = []
        for number in range(NODES):
            data = folder / f"node-{number}"
            data.mkdir(parents=True)
            head = _HEAD.substitute(name=f"node-{number}", port=ports[number], route=routes[number], routes=others)
            file = data / "server.conf"
            file.write_text(head + configuration(services(), lambda _: quoted(PASSWORD), quoted(str(data))))
            node = Node(file, data, ports[number])
            cleanup.push_async_callback(node.close)
            await node.start()
            nodes.append(node)
        started = Cluster(tuple(nodes))
        async with asyncio.timeout(WITHIN_S):
            while not await _replicates(started):  # noqa: ASYNC110  the servers are asked
                await asyncio.sleep(0.1)
        yield started


async def _replicates(started: Cluster) -> bool:
    try:
        async with connected_once(started.url(), timeout_s=5.0) as connection:
            jetstream = connection.jetstream(timeout=5)
            await jetstream.add_stream(name="PROBE", subjects=["probe"], num_replicas=NODES)
            await jetstream.delete_stream("PROBE")
    except (OSError, NatsError, APIError, TimeoutError):
        return False
    return True
