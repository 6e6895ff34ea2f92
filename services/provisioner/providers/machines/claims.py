"""The claim on a machine, stored on the machine: read, taken and released over SSH with a pinned host key."""

import asyncio
import shlex
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

from services.provisioner.install.script import ADDED, COMMAND, ENDING, STILL_RUNNING
from services.provisioner.provider import TIMED_OUT, TryAgain
from services.provisioner.providers.machines.inventory import Machine
from shared.machine import Exited, Shell, Unreachable, WrongHostKey
from shared.plain_text import plain_line, shortened

_SCRIPT: Final = ENDING + ADDED + (Path(__file__).parent / "claim.sh").read_text()
_NOBODY: Final = UUID(int=0)
_LONGEST_WORDS: Final = 300


@dataclass(frozen=True)
class Claim:
    """Who claims a machine; `instance_id` is None for another installation's claim, or a line without ids.

    `installation` and `theirs` are the other installation and its instance, if the line names them.
    """

    instance_id: UUID | None
    installation: UUID | None = None
    theirs: UUID | None = None


@dataclass(frozen=True)
class Claims:
    """None for a free machine. All raise TryAgain: silence never counts as a no."""

    shell: Shell
    installation: UUID

    async def look(self, machine: Machine, timeout_s: float) -> Claim | None:
        return await self._ask(machine, "look", _NOBODY, timeout_s)

    async def take(self, machine: Machine, instance_id: UUID, timeout_s: float) -> Claim | None:
        """The claim afterwards: ours, or that of whoever was faster."""
        return await self._ask(machine, "take", instance_id, timeout_s)

    async def give_back(self, machine: Machine, instance_id: UUID, timeout_s: float) -> Claim | None:
        """Remove everything of the instance except models, its claim last. Leaves another's claim alone."""
        return await self._ask(machine, "give_back", instance_id, timeout_s)

    async def _ask(
        self, machine: Machine, asked: Literal["look", "take", "give_back"], instance_id: UUID, timeout_s: float
    ) -> Claim | None:
        variables = {
            "COLDSTART_ASKED": asked,
            "COLDSTART_INSTALLATION": str(self.installation),
            "COLDSTART_INSTANCE": str(instance_id),
        }
        given = "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
        last = ""
        status: int | None = None
        try:
            async with (
                asyncio.timeout(timeout_s),
                self.shell.open(str(machine.address), [machine.host_key]) as session,
                aclosing(session.run(COMMAND, f"{given}{_SCRIPT}".encode())) as answer,
            ):
                async for line in answer:
                    if isinstance(line, Exited):
                        status = line.status
                    else:
                        last = line.strip() or last
        except TimeoutError:
            raise TryAgain(TIMED_OUT, f"machine {machine.name} did not answer within {timeout_s:g} s") from None
        except Unreachable as error:
            raise TryAgain("machine_unreachable", f"machine {machine.name}: {error}") from error
        except WrongHostKey as error:
            raise TryAgain("host_key_mismatch", f"machine {machine.name}: {error}") from error
        if status == STILL_RUNNING:
            raise TryAgain("install_still_running", f"an install on machine {machine.name} has not ended yet")
        last = shortened(plain_line(last), _LONGEST_WORDS)
        if status != 0 or not last:
            raise TryAgain(
                "machine_failed", f"machine {machine.name}, exit status {status}: {last or 'it said nothing'}"
            )
        return self._read(machine, last)

    def _read(self, machine: Machine, line: str) -> Claim | None:
        match line.split():
            case ["free"]:
                return None
            case ["claimed", installation, instance_id] if installation == str(self.installation):
                return Claim(_id_in(instance_id))
            case ["claimed", installation, instance_id]:
                return Claim(None, _id_in(installation), _id_in(instance_id))
            case ["claimed", *_]:
                return Claim(None)
            case _:
                raise TryAgain("machine_failed", f"machine {machine.name} said {line!r}")


def _id_in(word: str) -> UUID | None:
    try:
        return UUID(word)
    except ValueError:
        return None
