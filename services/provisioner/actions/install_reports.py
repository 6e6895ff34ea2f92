"""What a machine says of its install, recorded as it comes: phases, waits, fetched weights; and what it said last."""

from collections import deque
from typing import Final

from services.provisioner.action_context import ActionContext, now
from services.provisioner.actions.host_key import see_new_host_key
from services.provisioner.actions.printed import Printed
from services.provisioner.install.output import (
    CommitToStore,
    Fetched,
    HeldUp,
    Image,
    Output,
    Phase,
    Resumed,
    Warmed,
    parse_line,
)
from services.provisioner.install.script import PHASES, InstallJob
from shared.lifecycle.events import SshInstallPhaseReached, WeightsProgressed
from shared.lifecycle.words import fetched

WAITING: Final = "waiting"
MOST_WAITS: Final = 20
KEPT_LINES: Final = 20
_IMAGE_PULL: Final = "image_pull"
_AFTER_HOST_KEY: Final = PHASES[PHASES.index("host_key") + 1]


class InstallReports:
    """Of one connection. `phase` is the last one begun, `lines` are the last of its output.

    `commit` is that of the model that a machine image is to have, `warmed` whether vLLM has run it.
    """

    def __init__(self, context: ActionContext, job: InstallJob) -> None:
        self._context = context
        self._job = job
        self.phase: str | None = None
        self.commit: str | None = None
        self.warmed: Warmed | None = None
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.waited_for: deque[str] = deque(maxlen=MOST_WAITS + 1)
        self._image: str | None = None
        self._fetched = -1
        """The share of the model that was recorded last, in tenths; -1: none yet."""

    async def heard(self, line: str, printed: Printed) -> None:
        """Record what this line says, if it is news. Raises LeaseLost, Overtaken."""
        said = parse_line(line)
        if not isinstance(said, Fetched):
            printed.add(line)
        match said:
            case Phase(name):
                await self._reached(name)
            case HeldUp(what):
                await self._waits(what)
            case Resumed():
                await self._context.resume()
            case Fetched():
                await self._has_fetched(said, printed)
            case Image() | CommitToStore() | Warmed():
                self._note(said)
            case Output(text):
                self.lines.append(self._context.printable(text))

    def _note(self, said: Image | CommitToStore | Warmed) -> None:
        """What becomes part of an event that comes later."""
        match said:
            case Image(name):
                self._image = name if name in self._job.images else None
            case CommitToStore(commit):
                self.commit = commit
            case Warmed(reason):
                self.warmed = Warmed(reason and self._context.printable(reason))

    def _comes_after(self, phase: str) -> bool:
        passed = () if self.phase is None else self._job.phases[: self._job.phases.index(self.phase) + 1]
        return phase in self._job.phases and phase not in passed

    async def _reached(self, phase: str) -> None:
        """Recorded once: a machine may print it for ever."""
        if not self._comes_after(phase):
            return
        self.phase = phase
        await self._context.conclude(
            SshInstallPhaseReached(
                instance_id=self._context.instance_id,
                occurred_at=now(),
                attempt=self._job.attempt,
                install_try=self._job.attempt_try,
                phase=phase,
                index=self._job.phases.index(phase) + 1,
                total=len(self._job.phases),
                image=self._image if phase == _IMAGE_PULL else None,
            )
        )
        if phase == _AFTER_HOST_KEY and not self._job.seals:
            await see_new_host_key(self._context, 0.0)

    async def _has_fetched(self, said: Fetched, printed: Printed) -> None:
        """Recorded at the start, at each further tenth and at the end: a machine tells it each second."""
        progressed = WeightsProgressed(
            instance_id=self._context.instance_id,
            occurred_at=now(),
            attempt=self._job.attempt,
            install_try=self._job.attempt_try,
            fetched_bytes=min(said.bytes, said.total_bytes),
            total_bytes=said.total_bytes,
            files=min(said.files, said.files_total),
            files_total=said.files_total,
        )
        if progressed.tenths > self._fetched:
            self._fetched = progressed.tenths
            printed.add(fetched(progressed))
            await self._context.conclude(progressed)

    async def _waits(self, what: str) -> None:
        """A machine may print it for ever: only so many waits of one connection are recorded."""
        self.waited_for.append(self._context.printable(what))
        if len(self.waited_for) <= MOST_WAITS:
            pause = self._context.settings.install_look_seconds
            await self._context.delay(WAITING, f"waits for {self.waited_for[-1]}", pause)
