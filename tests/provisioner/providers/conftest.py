"""The adapter in front of a simulated cloud whose hosts are fakes, since no machine is tested here."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from services.provisioner.providers.scaleway.provider import ScalewayProvider
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from simulator.app import Simulator
from simulator.scenario import Scenario
from simulator.settings import SimulatorSettings
from tests.simulator.clients import DEADLINE, Control
from tests.simulator.fake_hosts import Hosts

QUICK = Scenario(
    create=0, boot_volume=0, tag_visible=0, poweron=0, address=0, ssh_up=0, poweroff=0, delete=0, detach=0,
    volume_update=0, snapshot_create=0, hang=0.05,
)  # fmt: skip
CALL_TIMEOUT_S = 8.0


@pytest.fixture
def scenario() -> Scenario:
    """A test about delays overrides this."""
    return QUICK


@pytest.fixture
def hosts() -> Hosts:
    return Hosts(SimulatorSettings().ssh_port)


@pytest.fixture
async def simulator(tmp_path: Path, scenario: Scenario, hosts: Hosts) -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorSettings(data_dir=tmp_path, scenario=scenario), hosts=hosts) as running:
        yield running


def settings_of(simulator: Simulator, **changes: Any) -> ScalewaySettings:
    account = simulator.settings
    return ScalewaySettings(
        access_key=account.access_key,
        secret_key=account.secret_key,
        default_project_id=account.project_id,
        default_zone=account.zones[0],
        api_url=simulator.url,
        **changes,
    )


@pytest.fixture
def scaleway_settings(simulator: Simulator) -> ScalewaySettings:
    return settings_of(simulator)


@pytest.fixture
def installation() -> UUID:
    return uuid4()


@pytest.fixture
def call_timeout_s() -> float:
    return CALL_TIMEOUT_S


@pytest.fixture
async def provider(
    scaleway_settings: ScalewaySettings, installation: UUID, call_timeout_s: float
) -> AsyncIterator[ScalewayProvider]:
    async with ScalewayProvider(scaleway_settings, installation, call_timeout_s) as running:
        yield running


@pytest.fixture
async def control(simulator: Simulator) -> AsyncIterator[Control]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE)) as session:
        yield Control(simulator.url, session)
