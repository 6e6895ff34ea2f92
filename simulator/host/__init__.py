"""The machine behind a simulated server: SSH, a bash that really runs, a Docker that starts a worker like vLLM."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.cloud.ports import MakeHost
    from simulator.settings import SimulatorSettings


def make_host(settings: SimulatorSettings) -> MakeHost:
    """Machines whose disks live under the settings' data folder."""
    # Imported here because each worker's process imports this package too, and has to start fast and stay small.
    from simulator.host.machine import machines  # noqa: PLC0415

    return machines(settings)
