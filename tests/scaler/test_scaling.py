"""A deployment is scaled for as long as it exists: by events and held requests at once, by time otherwise."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from shared.deployments.decide import DeploymentIntent
from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentScaled
from shared.launching import LaunchReply
from shared.lifecycle.status import ENDING, Status
from tests.lifecycle import facts as f
from tests.nats_proxy import nats_proxy
from tests.scaler.world import ID, LAUNCHED, World, a_world, scaled

NEVER: dict[str, Any] = {"moving_look_seconds": 600, "steady_look_seconds": 600, "reload_seconds": 600}
"""What happens then happens because of an event."""
NO_DATABASE = "load history not used"


@pytest.fixture
async def world(nats_url: str) -> AsyncGenerator[World]:
    async with a_world(nats_url) as world:
        yield world


def replica_ids(deployment: Deployment) -> list[UUID]:
    return [replica.instance_id for replica in deployment.staying]


async def serving(world: World, **wish: Any) -> UUID:
    """The instance of its only replica, which is ready."""
    await world.put(**{"min_replicas": 1, "max_replicas": 1, **wish})
    await world.until_asked(1)
    await world.ready(world.launches[0])
    return world.launches[0]


async def test_what_is_wanted_at_least_is_launched_under_the_ids_of_its_replicas(world: World) -> None:
    async with scaled(world, **NEVER):
        await world.put(min_replicas=2, max_replicas=2)
        await world.until_asked(2)
        deployment = await world.deployments.load(ID)
    assert sorted(world.launches) == sorted(replica_ids(deployment))
    assert await world.types() == ["DeploymentCreated", "DeploymentScaled", "ReplicaAdded", "ReplicaAdded"]
    assert {recorded.origin.actor for recorded in (await world.history())[1:]} == {"scaler"}


async def test_a_held_request_wakes_a_deployment_at_once(world: World) -> None:
    async with scaled(world, **NEVER) as leases:
        await world.put(min_replicas=0, max_replicas=1)
        async with asyncio.timeout(120):
            while not leases:  # noqa: ASYNC110  it is held within this process
                await asyncio.sleep(0.005)
        await world.load(held=1)
        await world.until_asked(1)
    events = [recorded.event for recorded in await world.history()]
    assert [event.reason for event in events if isinstance(event, DeploymentScaled)] == ["woken"]


async def test_a_replica_that_failed_is_replaced_at_once(world: World) -> None:
    async with scaled(world, **NEVER):
        first = await serving(world)
        await world.happen(first, f.server_lost())
        await world.until(lambda deployment: replica_ids(deployment) not in ([], [first]))
        deployment = await world.deployments.load(ID)
    assert "ReplicaReplaced" in await world.types()
    assert [replica.leaving for replica in deployment.replicas if replica.instance_id == first] in ([], [True])


async def test_what_is_paused_is_drained_and_what_is_resumed_is_launched_as_a_new_generation(world: World) -> None:
    async with scaled(world):
        first = await serving(world)
        await world.intend(DeploymentIntent.PAUSE)
        instance = await world.until_instance(first, lambda instance: instance.status in ENDING)
        assert instance.status is Status.DRAINING
        await world.intend(DeploymentIntent.RESUME)
        await world.until_asked(2)
    assert len(set(world.launches)) == 2


async def test_a_deleted_deployment_is_held_until_nothing_of_it_is_left(world: World) -> None:
    async with scaled(world) as leases:
        first = await serving(world)
        await world.intend(DeploymentIntent.DELETE)
        await world.until_instance(first, lambda instance: instance.status in ENDING)
        assert len(leases) == 1
        await world.happen(first, f.drained(), f.instance_terminated())
        assert (await world.until(lambda deployment: deployment.over)).over
        await world.until_unheld()


async def test_what_was_created_again_is_held_by_its_new_message_only(world: World) -> None:
    async with scaled(world, **NEVER):
        first = await serving(world)
        await world.intend(DeploymentIntent.DELETE)
        await world.until_instance(first, lambda instance: instance.status in ENDING)
        await world.put(min_replicas=1, max_replicas=1)
        await world.until_asked(2)
        await world.until_unheld(1)


async def test_a_refused_launch_is_told_once_and_asked_for_again(world: World) -> None:
    world.reply = LaunchReply(outcome="refused", code="limit_reached", message="3 of 3 instances.")
    async with scaled(world):
        await world.put(min_replicas=1, max_replicas=1)
        await world.until_asked(4)
        deployment = await world.deployments.load(ID)
        assert (await world.types()).count("ReplicaRefused") == 1
        refusal = deployment.replicas[0].refusal
        assert refusal is not None
        assert (refusal.code, refusal.message) == ("limit_reached", "3 of 3 instances.")
        world.reply = LaunchReply(outcome="refused", code="model_gone", message="It was taken down.")
        await world.until(lambda deployment: (deployment.replicas[0].refusal or refusal).code == "model_gone")


async def test_a_change_ends_the_pause_after_a_refusal(world: World) -> None:
    world.reply = LaunchReply(outcome="refused", code="limit_reached", message="3 of 3 instances.")
    async with scaled(world, launch_retry_seconds=600, launch_longest_retry_seconds=600):
        await world.put(min_replicas=1, max_replicas=1)
        await world.until(lambda deployment: bool(deployment.replicas and deployment.replicas[0].refusal))
        world.reply = LAUNCHED
        await world.put(min_replicas=1, max_replicas=2)
        await world.until_asked(2)
    assert len(set(world.launches)) == 1


async def test_a_launch_without_an_answer_is_asked_for_again(world: World) -> None:
    world.reply = None
    async with scaled(world, launch_answer_seconds=0.05):
        await world.put(min_replicas=1, max_replicas=1)
        await world.until_asked(2)
        world.reply = LAUNCHED
        await world.until_asked(3)
        await world.until_instance(world.launches[0], lambda instance: instance.status is Status.PROVISIONING)


async def test_a_replica_that_is_launched_after_its_deployment_has_gone_is_ended(world: World) -> None:
    async with scaled(world):
        await world.put(min_replicas=0, max_replicas=1)
        await world.intend(DeploymentIntent.DELETE)
        late = uuid4()
        await world.launch(late)
        await world.until_instance(late, lambda instance: instance.status is Status.TERMINATING)


async def test_a_wanted_replica_and_an_instance_of_its_own_are_left_alone(world: World) -> None:
    async with scaled(world):
        first, alone = await serving(world), uuid4()
        await world.happen(alone, f.instance_requested())
        await world.until_unheld(1)
        assert (await world.journal.load(first)).status is Status.READY
        assert (await world.journal.load(alone)).status is Status.PROVISIONING


async def test_two_scalers_make_one_instance_for_each_replica_and_record_nothing_twice(world: World) -> None:
    async with scaled(world), scaled(world) as leases:
        await world.put(min_replicas=3, max_replicas=3)
        await world.until_asked(3)
        del leases
    types = await world.types()
    assert (types.count("DeploymentScaled"), types.count("ReplicaAdded")) == (1, 3)
    assert len(set(world.launches)) == 3


async def test_a_deployment_whose_message_was_forgotten_is_taken_up_again(world: World) -> None:
    await world.put(min_replicas=1, max_replicas=1)
    await world.forget()
    async with scaled(world, hand_over_look_seconds=0.05, hand_over_seconds=0.05):
        await world.until_asked(1)


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event that passes is heard."""

    async def hear_nothing(*_: object) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("shared.bus.updates.Updates.on_message", hear_nothing)


@pytest.mark.usefixtures("deaf")
async def test_who_hears_nothing_learns_of_everything_by_itself(world: World) -> None:
    async with scaled(world, reload_seconds=0.1, reload_instances_seconds=0.1):
        first = await serving(world)
        await world.happen(first, f.server_lost())
        await world.until_asked(2)
        await world.intend(DeploymentIntent.DELETE)
        await world.until_instance(world.launches[1], lambda instance: instance.status is Status.TERMINATING)


@pytest.mark.usefixtures("deaf")
async def test_after_a_reconnect_what_happened_meanwhile_is_acted_on_at_once(world: World) -> None:
    async with nats_proxy(world.url) as proxy, scaled(world, nats_url=proxy.url, **NEVER):
        first = await serving(world)
        await world.intend(DeploymentIntent.DELETE)
        proxy.cut()
        await world.until_instance(first, lambda instance: instance.status in ENDING)


async def test_a_scaler_that_stops_returns_its_deployments_without_a_complaint(world: World) -> None:
    with capture_logs() as logs:
        async with scaled(world, **NEVER):
            await serving(world)
    assert [entry["event"] for entry in logs if entry["log_level"] in {"warning", "error"}] == [NO_DATABASE]
    await world.until_unheld(1)
