"""A call can be held up before it did anything, and after it did everything."""

from pathlib import Path

from simulator.app import Simulator
from simulator.cloud.gate import Moment, Subject
from simulator.scenario import Call, Scenario
from simulator.settings import SimulatorSettings
from tests.simulator.clients import Sdk
from tests.simulator.fake_hosts import Hosts


async def test_a_call_tells_of_itself_before_and_after_its_effect(tmp_path: Path, scenario: Scenario) -> None:
    settings = SimulatorSettings(data_dir=tmp_path, scenario=scenario)
    simulator = Simulator(settings, hosts=Hosts(settings.ssh_port))
    told: list[tuple[Call, Moment, tuple[str, ...], str, int]] = []

    async def on_call(subject: Subject, moment: Moment) -> None:
        told.append((subject.call, moment, subject.tags, subject.caller, len(created)))

    created: list[str] = []
    simulator.on_call = on_call
    async with simulator:
        sdk = Sdk(simulator, caller="somebody")
        created.append((await sdk.create("mine")).id)
    creations = [entry for entry in told if entry[0] is Call.CREATE_SERVER]
    assert creations == [
        (Call.CREATE_SERVER, Moment.ARRIVED, ("mine",), "somebody", 0),
        (Call.CREATE_SERVER, Moment.DONE, ("mine",), "somebody", 0),
    ]
