"""A simulator with fake hosts, and its clients."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from simulator.app import Simulator
from simulator.scenario import Scenario
from simulator.settings import SimulatorSettings
from tests.simulator.clients import DEADLINE, Control, Sdk
from tests.simulator.fake_hosts import Hosts

QUICK = Scenario(
    create=0, boot_volume=0, tag_visible=0, poweron=0, address=0, ssh_up=0, poweroff=0, delete=0, detach=0,
    volume_update=0, snapshot_create=0, hang=0.05,
)  # fmt: skip


@pytest.fixture
def scenario() -> Scenario:
    """A module that is about delays overrides this."""
    return QUICK


@pytest.fixture
def settings(tmp_path: Path, scenario: Scenario) -> SimulatorSettings:
    return SimulatorSettings(data_dir=tmp_path, scenario=scenario)


@pytest.fixture
def hosts(settings: SimulatorSettings) -> Hosts:
    return Hosts(settings.ssh_port)


@pytest.fixture
async def simulator(settings: SimulatorSettings, hosts: Hosts) -> AsyncIterator[Simulator]:
    async with Simulator(settings, hosts=hosts) as running:
        yield running


@pytest.fixture
def sdk(simulator: Simulator) -> Sdk:
    return Sdk(simulator)


@pytest.fixture
async def control(simulator: Simulator) -> AsyncIterator[Control]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE)) as session:
        yield Control(simulator.url, session)
