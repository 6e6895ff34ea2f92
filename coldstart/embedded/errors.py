"""What can go wrong with an embedded server.

EmbeddedServerError
├── AlreadyRunningError      another process uses this data folder
├── PortTakenError           the port that was asked for is not free
├── StartFailedError         the server ended, or was not ready in time
├── ServerEndedError         a running server ended by itself
├── ServerStuckError         a running server stores nothing more
└── UnsupportedSystemError   this system cannot run it
"""

from pathlib import Path

from coldstart.last_words import last_words
from coldstart.refusals import Refused


class EmbeddedServerError(Refused):
    """Its message says what happened and what a person can do."""


class AlreadyRunningError(EmbeddedServerError):
    def __init__(self, folder: Path, pid: int | None) -> None:
        """`pid` is the process that uses `folder`, or None if it has not written its pid yet."""
        owner = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{folder} is in use by {owner}: stop it, or choose another COLDSTART_DATA_DIR")
        self.folder = folder
        self.pid = pid


class PortTakenError(EmbeddedServerError):
    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} of 127.0.0.1 is taken")
        self.port = port


class StartFailedError(EmbeddedServerError):
    def __init__(self, what: str, log: Path, log_tail: str) -> None:
        """The message ends with the last line of the server's own log."""
        super().__init__(f"{what}: {last_words(log)}\nIts log is {log}.")
        self.log_tail = log_tail


class ServerEndedError(EmbeddedServerError):
    def __init__(self, name: str, status: int, log: Path) -> None:
        """For a server that nobody stopped. A negative `status` is the number of a signal."""
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        super().__init__(f"the embedded {name} {how}: {last_words(log)}\nIts log is {log}.")
        self.status = status


class ServerStuckError(EmbeddedServerError):
    def __init__(self, name: str, reason: str) -> None:
        """`reason`: in the server's own words."""
        super().__init__(f"the embedded {name} stores nothing more: {reason}")


class UnsupportedSystemError(EmbeddedServerError):
    pass
