"""One call of a stand-in, and the machine as stand-ins see it."""

import argparse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol, TypeAlias

from simulator.cloud.ports import Hardware
from simulator.host.containers import Containers
from simulator.host.disk import Disk
from simulator.host.file_failures import FileFailures
from simulator.host.model import MachineModel
from simulator.scenario import Scenario

REFUSED: Final = 64
"""Exit status of a stand-in for a call that it does not model (EX_USAGE)."""


class Refused(Exception):
    """The stand-in does not model this call."""


class Machine(Protocol):
    boot_id: str
    disk: Disk
    scenario: Scenario
    hardware: Hardware
    containers: Containers
    file_failures: FileFailures
    model: MachineModel | None
    """How long things take on it, where the scenario has rates."""

    def fails_at(self, phase: str) -> bool:
        """Whether the install must fail in this phase now."""

    def fault(self, phase: str) -> bool:
        """Like `fails_at`, and counts the failed run."""

    @property
    def packages_locked(self) -> bool:
        """Another program holds the locks of apt and dpkg."""

    def skip(self, seconds: float) -> None:
        """For the locks, so many seconds have passed."""

    def reload_ssh(self) -> None: ...

    def write_authorized_keys(self) -> None:
        """As the image does, whatever is in the file."""


@dataclass(frozen=True)
class Call:
    name: str
    arguments: Sequence[str]
    variables: Mapping[str, str]
    """The environment variables that arguments name."""
    out: Callable[[str], None]
    """Prints one line or more."""
    err: Callable[[str], None]
    input: str = ""
    """Standard input, if an argument says that it is read."""


StandIn: TypeAlias = Callable[[Machine, Call], Awaitable[int]]


class Flags(argparse.ArgumentParser):
    """Accepts the flags that a stand-in models, and refuses all others and abbreviations."""

    def __init__(self, name: str) -> None:
        super().__init__(prog=name, add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise Refused(message)
