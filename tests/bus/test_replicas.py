"""How many replicas the streams have is the streams' own affair: a service that says otherwise does not start."""

from pathlib import Path

import pytest

from shared.bus.topology import ReplicasDiffer, apply_topology, streams
from shared.running import StartRefused
from tests.bus.cluster import cluster


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
