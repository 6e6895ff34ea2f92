"""The version after this one: its own tree of the code, with an event, a field and a consumer's filter more."""

import shutil
from pathlib import Path
from typing import Final

from tests.embedded.owners import PROJECT

PACKAGES: Final = ("services", "shared", "migrations")
_EVENT: Final = '''class WorkerGreeted(AttemptFact, PlainMilestone):
    """What only the next version knows."""


Event: TypeAlias = (
    WorkerGreeted
    | InstanceRequested
'''
_FIELD: Final = """    version: PositiveInt = 1
    greeting: str = "hello"
"""
_WATCH: Final = """        event = recorded.event
        if event.type() == "WorkerGreeted":
            return
"""
_GREETS: Final = """        if isinstance(event, InstanceReady):
            at = self.service.now()
            greeted = WorkerGreeted(instance_id=self.instance.id, occurred_at=at, attempt=self.attempt)
            self._know(await self.service.journal.record(greeted, check=self.lease.check))
        return self.instance

    async def _pause"""
_NAMES: Final = """    InstanceFailed,
    InstanceReady,
    WorkerGreeted,
"""
_CHANGES: Final = (
    ("shared/lifecycle/events.py", "Event: TypeAlias = (\n    InstanceRequested\n", _EVENT),
    ("shared/lifecycle/instance.py", "    version: PositiveInt = 1\n", _FIELD),
    ("shared/bus/agreed.py", "TOPOLOGY_VERSION: Final = 3", "TOPOLOGY_VERSION: Final = 4"),
    ("shared/bus/topology.py", "IpAssigned, ReinstallRequested\n", "IpAssigned, ReinstallRequested, WorkerGreeted\n"),
    ("shared/bus/topology.py", "(IpAssigned, ReinstallRequested))", "(IpAssigned, ReinstallRequested, WorkerGreeted))"),
    ("services/health/watcher.py", "        event = recorded.event\n", _WATCH),
    ("services/health/watcher.py", "        return self.instance\n\n    async def _pause", _GREETS),
    (
        "services/health/watcher.py",
        "    InstanceFailed,\n",
        "    InstanceFailed,\n    InstanceReady,\n    WorkerGreeted,\n",
    ),
)


def next_version(folder: Path) -> Path:
    """A folder to be imported from instead of this project's."""
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, before, after in _CHANGES:
        text = (folder / name).read_text()
        assert before in text, (name, before)
        (folder / name).write_text(text.replace(before, after, 1))
    return folder
