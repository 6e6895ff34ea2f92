"""The port to a machine on which scripts run.

MachineError
├── Unreachable     it cannot be reached, or the connection broke; a retry may work
│   └── KeyRefused  it proved itself, and does not let our key in
└── WrongHostKey    another machine answered; nothing was sent to it
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


class MachineError(Exception):
    pass


class Unreachable(MachineError):
    pass


class KeyRefused(Unreachable):
    """Also for moments: some images write the file of authorized keys anew while they boot or install packages."""


class WrongHostKey(MachineError):
    pass


@dataclass(frozen=True)
class Exited:
    status: int


class Session(Protocol):
    @property
    def host_key(self) -> str:
        """The public key with which the machine has proved its identity, one of the accepted ones."""

    def run(self, command: str, stdin: bytes) -> AsyncGenerator[str | Exited]:
        """Every line of its output as it comes, then how it exited. Raises Unreachable if the connection breaks.

        Do not trust the machine: the lines are bounded in length, but may contain anything.
        """


class Shell(Protocol):
    def open(self, address: str, host_keys: Sequence[str]) -> AbstractAsyncContextManager[Session]:
        """A connection to the machine that owns one of these public host keys. Raises MachineError."""
