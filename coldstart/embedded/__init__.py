"""NATS and PostgreSQL for a machine without them, started and stopped with the stack.

Each server has its own folder in the data folder: `nats/` and `postgres/`. It holds `data` (what the server stores),
`server.log` (and `server.log.1` of the previous run), `lock`, `port` and the passwords.
"""

from coldstart.embedded.errors import (
    AlreadyRunningError,
    EmbeddedServerError,
    PortTakenError,
    ServerEndedError,
    StartFailedError,
    UnsupportedSystemError,
)
from coldstart.embedded.nats import EmbeddedNats
from coldstart.embedded.postgres import EmbeddedPostgres
from coldstart.embedded.servers import RunningServers, servers

__all__ = [
    "AlreadyRunningError",
    "EmbeddedNats",
    "EmbeddedPostgres",
    "EmbeddedServerError",
    "PortTakenError",
    "RunningServers",
    "ServerEndedError",
    "StartFailedError",
    "UnsupportedSystemError",
    "servers",
]
