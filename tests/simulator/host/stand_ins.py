"""Stand-ins called without a shell, on a machine that is not booted, in stepped time."""

from dataclasses import dataclass, field
from pathlib import Path

from simulator.host.cloud_init import CloudInit
from simulator.host.machine import SimulatedMachine
from simulator.host.model import MachineModel
from simulator.host.standins.call import Call
from simulator.rates import Rates
from simulator.scenario import Scenario
from tests.simulator.host.clocks import SteppedClock
from tests.simulator.host.machines import QUICK, Machine


def a_host(folder: Path, rates: Rates | None, clock: SteppedClock, scenario: Scenario = QUICK) -> SimulatedMachine:
    """It has a disk. Without rates, nothing takes any time."""
    host = Machine(folder / "machine", scenario.model_copy(update={"rates": rates})).host
    host.disk.attach(CloudInit())
    host.model = MachineModel(rates, clock) if rates else None
    return host


@dataclass
class Said:
    """What a stand-in prints."""

    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)


def called(name: str, *arguments: str, said: Said | None = None, given: str = "") -> Call:
    """`given`: standard input."""
    said = said or Said()
    return Call(name=name, arguments=arguments, variables={}, input=given, out=said.out.append, err=said.err.append)
