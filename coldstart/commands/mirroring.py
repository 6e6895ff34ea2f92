"""What `coldstart models mirror` does, and says meanwhile."""

import asyncio
import logging
from dataclasses import dataclass

import typer

from coldstart.commands.context import complain, explained, note
from coldstart.mirroring.errors import NotMirrored
from coldstart.mirroring.mirror import carried_out, planned
from coldstart.settings import MirrorSettings, from_environment
from shared.logs import configure_logs
from shared.weights_mirror.failures import MirrorFailed
from shared.weights_mirror.layout import MirrorManifest

_GB = 1e9
_TENTHS = 10


def mirror_model(model: str, revision: str | None) -> MirrorManifest:
    configure_logs("mirror", "error", "console")
    logging.getLogger("botocore").setLevel(logging.ERROR)
    with explained():
        settings = from_environment(MirrorSettings)
    where = settings.mirror
    if where is None:
        raise _refused("There is no mirror: set COLDSTART_WEIGHTS_MIRROR and its keys.")
    try:
        plan = asyncio.run(planned(settings, model, revision))
        note(f"{plan.found.model} at {plan.commit}: {len(plan.listed.files)} files into {where}")
        return carried_out(plan, settings, where, revision, _Progress(plan.listed.bytes).add)
    except (NotMirrored, MirrorFailed) as failure:
        raise _refused(str(failure)) from failure


def _refused(sentence: str) -> typer.Exit:
    complain(sentence)
    return typer.Exit(1)


@dataclass
class _Progress:
    """Says each further tenth."""

    total: int
    there: int = 0
    said: int = 0

    def add(self, more: int) -> None:
        self.there += more
        tenths = _TENTHS * self.there // max(1, self.total)
        if tenths > self.said:
            self.said = tenths
            note(f"{tenths * 10:3}%  {self.there / _GB:.2f} of {self.total / _GB:.2f} GB")
