"""kill -9 of the scaler at every event of a deployment's life: at the end there is what is wanted, and nothing else."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from shared.bus.topology import REPLICAS, SCALE
from shared.deployments.decide import DeploymentIntent
from shared.deployments.deployment import Deployment
from tests.integration.victim import Moment, victim
from tests.lifecycle import facts as f
from tests.scaler.automatic_cloud import AutomaticCloud, automatic_cloud
from tests.scaler.laws import broken_laws
from tests.scaler.world import ID, World, a_world, scaled

LEASE_S = 1.0
ACKNOWLEDGED = frozenset(event.__name__ for trigger in (SCALE, REPLICAS) for event in trigger.events)
WISH: dict[str, Any] = {"min_replicas": 2, "max_replicas": 2, "surge": 1, "settle": 0}
MOST = 3
"""The maximum and the surge."""


@pytest.fixture
async def world(nats_url: str) -> AsyncGenerator[World]:
    async with a_world(nats_url, ack_wait_s=LEASE_S) as world:
        yield world


async def lived(world: World, cloud: AutomaticCloud) -> None:
    """Two replicas, one of which is lost; a rollout; a pause; and the end."""
    await world.put(**WISH)
    await cloud.until("InstanceReady", 2)
    deployment = await world.deployments.load(ID)
    await world.happen(deployment.replicas[0].instance_id, f.server_lost())
    await cloud.until("InstanceReady", 3)
    await world.put(**WISH, volume_gb=300)
    await cloud.until("RolloutFinished")
    await cloud.until("ReplicaEnded", 3)
    await world.intend(DeploymentIntent.PAUSE)
    await cloud.until("ReplicaEnded", 5)
    await world.intend(DeploymentIntent.RESUME)
    await cloud.until("InstanceReady", 7)
    await world.intend(DeploymentIntent.DELETE)
    await world.until(over)


def over(deployment: Deployment) -> bool:
    return deployment.over


@pytest.mark.parametrize(("moment", "others"), [("before", 0), ("after", 1)])
async def test_a_scaler_killed_at_every_event_leaves_what_is_wanted(
    moment: Moment, others: int, world: World, tmp_path: Path
) -> None:
    other: AbstractAsyncContextManager[Any] = scaled(world, lease_seconds=LEASE_S) if others else nullcontext()
    async with (
        automatic_cloud(world) as cloud,
        victim(
            "services.scaler",
            [world.pace(lease_seconds=LEASE_S)],
            moment=moment,
            acknowledges=ACKNOWLEDGED,
            nats_url=world.url,
            folder=tmp_path,
        ) as dying,
        other,
    ):
        await lived(world, cloud)
        others_may_acknowledge = ACKNOWLEDGED if others else frozenset()
        await dying.killed_at_all([event for event in cloud.types() if event not in others_may_acknowledge])
        await world.until_unheld()
        assert broken_laws(cloud.events, MOST) == []
        assert len(dying.killed_at) > 12
