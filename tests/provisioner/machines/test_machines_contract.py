"""The adapter passes the contract for the capabilities that it declares, over real SSH to real shells."""

from uuid import UUID, uuid4

import pytest

from services.provisioner.provider import Order, Server
from services.provisioner.providers.machines.provider import MachinesProvider
from tests.provisioner.machine_image_contract import MachineImageContract
from tests.provisioner.machines.conftest import listed, provider_of
from tests.simulator.host.machines import Machine

SOLD_OUT = "claimed"


class TestMachinesProvider(MachineImageContract):
    @pytest.fixture
    def instance_type(self) -> str:
        return "own"

    @pytest.fixture
    def provider(self, boxes: list[Machine], installation: UUID) -> MachinesProvider:
        busy = listed(boxes[1], "shelf", instance_type=SOLD_OUT)
        return provider_of(listed(boxes[0], "desk"), busy, installation=installation)

    @pytest.fixture
    async def sold_out_type(self, provider: MachinesProvider) -> str:
        assert isinstance(await provider.create_server(Order(uuid4(), "other", "own", SOLD_OUT, b"")), Server)
        return SOLD_OUT
