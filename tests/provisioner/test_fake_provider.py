"""The fake keeps the contract that the real one keeps."""

import pytest

from services.provisioner.provider import Server
from tests.provisioner.fake_images import FakeImages
from tests.provisioner.fake_provider import Delays, FakeProvider
from tests.provisioner.machine_image_contract import MachineImageContract
from tests.provisioner.provider_contract import Attach


class TestFakeProvider(MachineImageContract):
    @pytest.fixture
    def instance_type(self) -> str:
        return "L4-1-24G"

    @pytest.fixture
    def sold_out_type(self) -> str:
        return "H100-1-80G"

    @pytest.fixture
    def scratch_type(self) -> str:
        return "L40S-1-48G"

    @pytest.fixture
    def provider(self) -> FakeProvider:
        late = Delays(tags=0.1, group_tags=0.1, volume=0.1, power_on=0.1, address=0.1, power_off=0.1, detach=0.1)
        return FakeProvider(
            delays=late,
            images=FakeImages(snapshot_s=0.1, tags_s=0.1, held_s=0.1),
            out_of_stock={("zone-1", "H100-1-80G")},
            scratch_types={"L40S-1-48G"},
        )

    @pytest.fixture
    def attach(self, provider: FakeProvider) -> Attach:
        async def attached(server: Server) -> str:
            return provider.attach(server.id)

        return attached
