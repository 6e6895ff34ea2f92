"""The adapter keeps the contract that the fake keeps, over a cloud that is late with everything."""

import pytest

from services.provisioner.provider import Server
from simulator.scenario import Call, Error, Failure, Scenario
from tests.provisioner.machine_image_contract import MachineImageContract
from tests.provisioner.provider_contract import Attach
from tests.simulator.clients import Control

SOLD_OUT = "H100-1-80G"


class TestScalewayProvider(MachineImageContract):
    @pytest.fixture
    def scenario(self) -> Scenario:
        sold_out = Failure(call=Call.CREATE_SERVER, error=Error.OUT_OF_STOCK, times=None, instance_type=SOLD_OUT)
        return Scenario(
            boot_volume=0.1, tag_visible=0.1, poweron=0.1, address=0.2, ssh_up=0, poweroff=0.1, detach=0.1,
            volume_update=0.1, snapshot_create=0.1, failures=(sold_out,),
        )  # fmt: skip

    @pytest.fixture
    def instance_type(self) -> str:
        return "L4-1-24G"

    @pytest.fixture
    def sold_out_type(self) -> str:
        return SOLD_OUT

    @pytest.fixture
    def scratch_type(self) -> str:
        return "L40S-1-48G"

    @pytest.fixture
    def attach(self, control: Control) -> Attach:
        async def attached(server: Server) -> str:
            return str((await control("POST", f"servers/{server.id}/attach"))["id"])

        return attached
