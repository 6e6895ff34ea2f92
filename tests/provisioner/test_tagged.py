"""What providers hold of an installation, asked without a provisioner: all of it, or an error."""

from contextlib import nullcontext
from uuid import uuid4

import pytest

from services.provisioner.provider import Order, TryAgain
from services.provisioner.tagged import tagged
from shared.bus.connection import connect
from shared.bus.reader import ReadingInterrupted
from shared.bus.topology import apply_topology
from tests.provisioner.fake_provider import FakeProvider


async def test_it_lists_what_bears_the_tag_and_does_not_say_nothing_when_a_provider_fails(nats_url: str) -> None:
    provider = FakeProvider()

    async def listed() -> list[str]:
        return await tagged(nats_url, [lambda _: nullcontext(provider)])

    with pytest.raises(ReadingInterrupted):
        await listed()
    connection = await connect(nats_url, "test")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
    await connection.close()
    assert await listed() == []
    instance_id = uuid4()
    group = await provider.make_security_group("zone-1", instance_id)
    await provider.create_server(Order(instance_id, "mine", "zone-1", "L4-1-24G", b"", security_group_id=group))
    (server_id,) = provider.alive
    image = await provider.store_image("zone-1", server_id, instance_id, "mine", {})
    assert image is not None
    lines = await listed()
    assert f"scaleway server {server_id} zone-1" in lines
    assert f"scaleway security_group {group} zone-1" in lines
    assert f"scaleway machine_image {image.id} zone-1" in lines
    for call in ("tagged_servers", "tagged_resources", "machine_images"):
        provider.fail(call, TryAgain("cloud_error", "not now"))
        with pytest.raises(TryAgain):
            await listed()
