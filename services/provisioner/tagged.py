"""`python -m services.provisioner tagged`: lists what the providers hold of this installation. Changes nothing."""

from collections.abc import Sequence

from services.provisioner.providers.registration import MakeProvider
from shared.bus.connection import connect
from shared.bus.reader import stream_state


async def tagged(nats_url: str, make: Sequence[MakeProvider]) -> list[str]:
    """A line for each resource: provider, kind, id, zone. Raises ReadingInterrupted, ProviderError.

    One's own machines that do not answer are left out: they are not rented.
    """
    connection = await connect(nats_url, "tagged")
    try:
        installation = (await stream_state(connection)).installation
    finally:
        await connection.close()
    lines = []
    for make_one in make:
        async with make_one(installation) as provider:
            servers = [("server", server.id, server.zone) for server in await provider.tagged_servers()]
            others = [(str(each.kind), each.id, each.zone) for each in await provider.tagged_resources()]
            images = [("machine_image", image.id, image.zone) for image in await provider.machine_images()]
            lines += [" ".join((provider.name, *each)) for each in (*servers, *others, *images)]
    return lines
