"""Several servers that are one JetStream: which of them is connected to, and how many replicas there are."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from coldstart.embedded.nats import EmbeddedNats
from shared.bus.connection import connect, connected_once
from shared.bus.topology import ReplicasDiffer, apply_topology, streams
from shared.running import StartRefused
from tests.api.fakes import free_port
from tests.bus.cluster import cluster


async def test_another_server_of_the_list_is_connected_to_if_one_is_away(tmp_path: Path) -> None:
    async with EmbeddedNats(tmp_path) as server:
        away = f"nats://x:y@127.0.0.1:{free_port()}"
        for urls in (f"{away},{server.url}", f"{server.url}, {away}"):
            connection = await connect(urls, "test")
            assert connection.connected_url is not None
            assert connection.connected_url.port == urlsplit(server.url).port
            await connection.close()
            async with connected_once(urls) as once:
                assert (await once.jetstream().account_info()).streams == 0


async def test_a_service_with_another_number_of_replicas_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with cluster(tmp_path) as connection:
        jetstream = connection.jetstream(timeout=30)
        installation = await apply_topology(jetstream, replicas=3, ack_wait_s=5)
        with pytest.raises(StartRefused, match="has 3 replicas, and COLDSTART_STREAM_REPLICAS is 1") as refused:
            await apply_topology(jetstream, replicas=1, ack_wait_s=5)
        assert refused.type is ReplicasDiffer
        for config in streams(3, installation):
            assert (await jetstream.stream_info(str(config.name))).config.num_replicas == 3
        assert await apply_topology(jetstream, replicas=3, ack_wait_s=5) == installation
