"""A stream of three replicas is copied and restored as one of a single server is."""

from collections.abc import AsyncIterator
from pathlib import Path

from coldstart.backup.streams import restore_stream, snapshot
from shared.bus.connection import connected_once
from shared.bus.topology import apply_topology
from shared.journal.streams import LIFECYCLE
from tests.chaos.nodes import cluster
from tests.lifecycle import histories as h
from tests.progress.service import Author


async def test_a_replicated_stream_comes_back_with_its_replicas(tmp_path: Path) -> None:
    async with cluster(tmp_path) as nats, connected_once(nats.url(), timeout_s=30) as connection:
        jetstream = connection.jetstream(timeout=30)
        installation = await apply_topology(jetstream, replicas=3, ack_wait_s=5)
        last = await Author(connection).write(h.a_terminated_instance())
        async with snapshot(connection, LIFECYCLE) as taken:
            assert taken is not None
            chunks = [chunk async for chunk in taken.chunks]
        before = [await jetstream.get_msg(LIFECYCLE, seq=number + 1) for number in range(last)]
        await jetstream.delete_stream(LIFECYCLE)
        await restore_stream(connection, taken.config, taken.state, each(chunks))
        assert [await jetstream.get_msg(LIFECYCLE, seq=number + 1) for number in range(last)] == before
        assert await apply_topology(jetstream, replicas=3, ack_wait_s=5) == installation


async def each(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
