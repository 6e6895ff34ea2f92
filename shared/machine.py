"""The port to a machine that scripts run on.

MachineError
├── Unreachable     it cannot be reached, does not let us in, or the connection broke: later it may work
└── WrongHostKey    whoever answered is not the machine it should be; nothing was said to it
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


class MachineError(Exception):
    pass


class Unreachable(MachineError):
    pass


class WrongHostKey(MachineError):
    pass


@dataclass(frozen=True)
class Exited:
    status: int


class Session(Protocol):
    @property
    def host_key(self) -> str:
        """The public key that the machine has proved itself with, one of those accepted."""

    def run(self, command: str, stdin: bytes) -> AsyncGenerator[str | Exited]:
        """Every line of its output as it comes, then how it exited. Raises Unreachable when the connection breaks.

        A machine is not to be trusted: the lines are bounded, but they may say anything.
        """


class Shell(Protocol):
    def open(self, address: str, host_keys: Sequence[str]) -> AbstractAsyncContextManager[Session]:
        """A connection to the machine that owns one of these public host keys. Raises MachineError."""
