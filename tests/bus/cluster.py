"""Three NATS servers that are one JetStream, on loopback."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from string import Template

from nats.aio.client import Client
from nats.errors import Error as NatsError

from coldstart.embedded.nats import _program
from coldstart.supervised.process import BARE, Command, running
from shared.bus.connection import connect
from tests.api.fakes import free_port

NODES = 3
WITHIN_S = 60
CONFIGURATION = Template("""\
server_name: "$name"
listen: "127.0.0.1:$port"
jetstream { store_dir: "$folder" }
cluster { name: "three", listen: "127.0.0.1:$route", routes: [$routes] }
""")


@asynccontextmanager
async def cluster(folder: Path) -> AsyncGenerator[Client]:
    """A connection to one of them, once a stream can have three replicas."""
    ports, routes = [free_port() for _ in range(NODES)], [free_port() for _ in range(NODES)]
    async with AsyncExitStack() as nodes:
        for number in range(NODES):
            data = folder / f"node-{number}"
            data.mkdir()
            others = ", ".join(f'"nats://127.0.0.1:{route}"' for route in routes)
            file = data / "server.conf"
            place = {"name": f"node-{number}", "port": ports[number], "route": routes[number], "routes": others}
            file.write_text(CONFIGURATION.substitute(place, folder=data))
            log = nodes.enter_context((data / "log").open("wb"))
            command = Command(_program(), ["--config", str(file)], data, signal.SIGTERM, environment=BARE)
            await nodes.enter_async_context(running(command, log.fileno()))
        connection = await connect(f"nats://127.0.0.1:{ports[0]}", "test")
        nodes.push_async_callback(connection.close)
        async with asyncio.timeout(WITHIN_S):
            while not await _can_replicate(connection):  # noqa: ASYNC110  the servers are asked
                await asyncio.sleep(0.1)
        yield connection


async def _can_replicate(connection: Client) -> bool:
    """Once all have elected a leader."""
    jetstream = connection.jetstream(timeout=5)
    try:
        await jetstream.add_stream(name="PROBE", subjects=["probe"], num_replicas=NODES)
        await jetstream.delete_stream("PROBE")
    except (NatsError, TimeoutError):
        return False
    return True
