"""Several servers that are one JetStream: which of them is connected to, and how many replicas there are."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from coldstart.embedded.nats import EmbeddedNats
from shared.bus.connection import connect, connected_once
from shared.bus.start_up import declared
from shared.bus.topology import ReplicasDiffer, apply_topology, streams
from shared.journal.streams import LIFECYCLE
from shared.running import StartRefused
from shared.settings import ServiceSettings
from tests.api.fakes import free_port
from tests.chaos.nodes import cluster


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
    async with cluster(tmp_path) as nats, connected_once(nats.url(), timeout_s=30) as connection:
        jetstream = connection.jetstream(timeout=30)
        installation = await apply_topology(jetstream, replicas=3, ack_wait_s=5)
        with pytest.raises(StartRefused, match="has 3 replicas, and COLDSTART_STREAM_REPLICAS is 1") as refused:
            await apply_topology(jetstream, replicas=1, ack_wait_s=5)
        assert refused.type is ReplicasDiffer
        for config in streams(3, installation):
            assert (await jetstream.stream_info(str(config.name))).config.num_replicas == 3
        assert await apply_topology(jetstream, replicas=3, ack_wait_s=5) == installation


async def test_a_service_that_starts_without_a_quorum_waits_for_it(tmp_path: Path) -> None:
    async with cluster(tmp_path) as nats:
        for node in nats.nodes[1:]:
            await node.kill()
        connection = await connect(nats.url(), "test")
        try:
            settings = ServiceSettings(nats_url=SecretStr(nats.url()), stream_replicas=3)
            starting = asyncio.create_task(declared(connection, settings))
            with capture_logs() as logs:
                while not any(line["event"] == "waiting for a server" for line in logs):
                    assert not starting.done(), starting.exception()
                    await asyncio.sleep(0.05)
            for node in nats.nodes[1:]:
                await node.start()
            await starting
            assert (await connection.jetstream(timeout=30).stream_info(LIFECYCLE)).config.num_replicas == 3
        finally:
            await connection.close()
