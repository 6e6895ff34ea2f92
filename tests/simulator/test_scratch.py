"""Scratch storage in the simulated cloud, as Scaleway's documentation and recordings have it."""

import pytest
from scaleway.instance.v1 import Server, VolumeServerTemplate, VolumeVolumeType
from scaleway_core.api import ScalewayException

from tests.simulator.clients import Control, Sdk, ask, eventually
from tests.simulator.fake_hosts import Hosts

L40S = "L40S-1-48G"
TB_1_6 = 1_600_000_000_000


async def with_scratch(sdk: Sdk, size: int = TB_1_6, slot: str = "1", kind: str = L40S) -> Server:
    wanted = {slot: VolumeServerTemplate(name="models", size=size, volume_type=VolumeVolumeType.SCRATCH)}
    server = await sdk.create(commercial_type=kind, volumes=wanted)
    return await eventually(lambda: sdk.get(server.id), lambda seen: "0" in seen.volumes)


async def test_a_server_has_its_scratch_volume_in_slot_one_behind_the_images_own(sdk: Sdk) -> None:
    server = await with_scratch(sdk)
    assert {slot: str(volume.volume_type) for slot, volume in server.volumes.items()} == {
        "0": "sbs_volume",
        "1": "scratch",
    }
    volume = (await ask(sdk.instance.get_volume, volume_id=server.volumes["1"].id)).volume
    assert volume is not None
    assert (str(volume.volume_type), volume.size, volume.server and volume.server.id) == ("scratch", TB_1_6, server.id)


@pytest.mark.parametrize(("size", "slot", "kind"), [(TB_1_6 + 1, "1", L40S), (TB_1_6, "2", L40S), (1, "1", "L4-1-24G")])
async def test_more_scratch_storage_than_the_type_has_is_refused(sdk: Sdk, size: int, slot: str, kind: str) -> None:
    with pytest.raises(ScalewayException) as refused:
        await with_scratch(sdk, size, slot, kind)
    assert refused.value.response.json()["details"][0]["argument_name"] == "volumes"


async def test_a_full_stop_erases_it_and_a_terminate_deletes_it(sdk: Sdk, control: Control, hosts: Hosts) -> None:
    server = await with_scratch(sdk)
    scratch = server.volumes["1"].id
    for _ in range(2):
        await sdk.act(server.id, "poweron")
        await eventually(lambda: sdk.get(server.id), lambda seen: seen.state == "running" and bool(seen.public_ips))
        await sdk.stopped(server.id)
    assert hosts.made[0].told == ["start", "stop", "erase_scratch"]
    assert scratch in (await control("GET", "account"))["remaining"]["local_volumes"]
    await sdk.act(server.id, "poweron")
    await eventually(lambda: sdk.get(server.id), lambda seen: seen.state == "running")
    await sdk.act(server.id, "terminate")

    async def left() -> list[str]:
        remaining = (await control("GET", "account"))["remaining"]
        return [*remaining["servers"], *remaining["local_volumes"]]

    assert await eventually(left, lambda ids: not ids) == []
