"""A deployment on the whole line: woken by a request, scaled by the load, healed, and gone without a trace."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from openai import DEFAULT_MAX_RETRIES

from services.scaler import app as scaler
from simulator.scenario import Call, Error, Failure, Scenario
from tests.integration.line import INSTANCE_TYPE, Changes, Line, line
from tests.integration.test_others_doings import happens
from tests.scaler.deployed import (
    AT_ONCE,
    NAME,
    asked,
    client,
    deployed,
    gone,
    instances,
    ready,
    reasons,
    scaled_line,
    servers,
    streamed,
    until,
)

CROWD = 200
POISON = "hang"
RAMP = 50
SELDOM_S = 3_600.0
WATCHFUL: Changes = {"provisioner": {"reconcile_seconds": 0.3, "lost_after_seconds": 0.3}}


async def test_from_zero_a_held_stream_is_answered_by_the_woken_replica_and_back_to_zero_nothing_is_left(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with scaled_line(tmp_path, nats_url, database_url) as running, client(running) as asking:
        of = await deployed(running, **AT_ONCE)
        assert "hello" in await streamed(asking)
        (instance_id,) = instances(running, of)
        assert (await running.show(instance_id))["status"] == "ready"
        await until(running, of, lambda deployment: not deployment["replicas"] and deployment["wanted"] == 0)
        assert reasons(running, of) == [(0, 1, "woken"), (1, 0, "idle")]
        await running.heard.until(instance_id, "InstanceTerminated")
        assert await running.remaining() == {}
        await gone(running, of)


async def test_two_hundred_requests_that_wait_start_one_launch_and_are_answered_by_its_events_alone(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    changes: Changes = {
        "api": {"wait_for_ready_requests_per_key": CROWD, "wait_heartbeat_seconds": SELDOM_S},
        "scaler": {"moving_look_seconds": SELDOM_S, "steady_look_seconds": SELDOM_S, "reload_seconds": SELDOM_S},
    }
    async with scaled_line(tmp_path, nats_url, database_url, changes) as running, client(running) as asking:
        of = await deployed(running, target_in_flight=CROWD)
        answers = await asyncio.gather(*(streamed(asking, f"number {number}.") for number in range(CROWD)))
        assert all(f"number {number}." in answer for number, answer in enumerate(answers))
        assert len(instances(running, of)) == 1
        assert len((await running.account())["servers"]) == 1
        await gone(running, of)


async def test_replicas_follow_from_one_stream_to_fifty_and_back_and_none_breaks(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    slow = Scenario(token=0.2)
    async with scaled_line(tmp_path, nats_url, database_url, scenario=slow) as running, client(running) as asking:
        of = await deployed(running, max_replicas=3, target_in_flight=10, **AT_ONCE)
        fewer, enough = asyncio.Event(), asyncio.Event()
        answered: Counter[bool] = Counter()

        async def ask(until: asyncio.Event) -> None:
            while not until.is_set():
                answered["hello" in await streamed(asking)] += 1

        async with asyncio.TaskGroup() as group:
            group.create_task(ask(enough))
            await until(running, of, lambda deployment: len(deployment["replicas"]) == 1)
            await running.heard.until(instances(running, of)[0], "InstanceReady")
            for _ in range(RAMP - 1):
                group.create_task(ask(fewer))
            await until(running, of, lambda deployment: len(deployment["replicas"]) == 3)
            for instance_id in instances(running, of):
                await running.heard.until(instance_id, "InstanceReady")
            fewer.set()
            one = await until(running, of, lambda each: each["wanted"] == 1 and len(each["replicas"]) == 1)
            staying = one["replicas"][0]["instance_id"]
            for instance_id in {*instances(running, of)} - {staying}:
                await running.heard.until(instance_id, "DrainRequested")
            enough.set()
        assert set(answered) == {True}
        assert ready(running, of) == [staying]
        assert "DrainRequested" in {kind for each in instances(running, of) for kind in running.heard.types(each)}
        assert {reason for _, _, reason in reasons(running, of)} == {"woken", "load", "quiet"}
        await gone(running, of)


async def test_a_scaler_that_was_away_while_its_deployment_was_changed_deleted_and_declared_anew_does_no_harm(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url) as running:
        async with scaler.running(running.settings.scaler):
            of = await deployed(running, min_replicas=1)
            await running.heard.until(of, "ReplicaAdded")
            (first,) = instances(running, of)
            await running.heard.until(first, "InstanceRequested")
        await deployed(running, min_replicas=3, max_replicas=3, volume_gb=300)
        deleted = await running.http.delete(f"/deployments/{NAME}")
        assert deleted.is_success, deleted.text
        await deployed(running, min_replicas=1)
        await running.heard.until(first, "InstanceReady")
        async with scaler.running(running.settings.scaler):
            await running.heard.until(first, "InstanceTerminated")
            await until(running, of, lambda deployment: len(deployment["replicas"]) == 1)
            (_, second) = instances(running, of)
            await running.heard.until(second, "InstanceReady")
            assert await servers(running) == {second}
            await gone(running, of)


async def replaced(running: Line, of: str) -> dict[str, Any]:
    """The event, once the next generation is ready."""
    event = await running.heard.until(of, "ReplicaReplaced")
    await running.heard.until(event["data"]["event"]["instance_id"], "InstanceReady")
    return dict(event["data"]["event"])


async def test_a_lost_server_is_replaced(tmp_path: Path, nats_url: str, database_url: str) -> None:
    async with scaled_line(tmp_path, nats_url, database_url, WATCHFUL) as running:
        of = await deployed(running, min_replicas=1)
        await running.heard.until(of, "ReplicaAdded")
        (first,) = instances(running, of)
        await running.heard.until(first, "InstanceReady")
        await happens(running, first, "kill")
        event = await replaced(running, of)
        assert (event["former_instance_id"], event["failures"]) == (first, 1)
        await gone(running, of)


async def test_a_worker_that_dies_and_stays_away_is_replaced(tmp_path: Path, nats_url: str, database_url: str) -> None:
    changes: Changes = {"health": {"unavailable_seconds": 0.5}}
    async with scaled_line(tmp_path, nats_url, database_url, changes) as running:
        await running.rehearse(Scenario(dies_after_ready=0.5))
        of = await deployed(running, min_replicas=1)
        await running.heard.until(of, "ReplicaAdded")
        (first,) = instances(running, of)
        await running.heard.until(first, "HealthLost", "StartupFailed", "InstanceFailed")
        await running.rehearse(Scenario())
        await replaced(running, of)
        await gone(running, of)


async def test_a_worker_that_hangs_is_replaced_told_and_within_the_budget(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    pace = {"hang_seconds": 0.5, "counts_look_seconds": 0.2, "unavailable_seconds": 0.5, "warmup_seconds": 0.5}
    async with scaled_line(tmp_path, nats_url, database_url, {"health": pace}) as running, client(running) as asking:
        await running.rehearse(Scenario(engine_hangs_at=POISON))
        of = await deployed(running, min_replicas=1)
        await running.heard.until(of, "ReplicaAdded")
        (first,) = instances(running, of)
        await running.heard.until(first, "InstanceReady")
        await running.rehearse(Scenario())
        async with asyncio.TaskGroup() as group:
            hanging = group.create_task(asked(asking.with_options(max_retries=DEFAULT_MAX_RETRIES), POISON))
            lost = await running.heard.until(first, "HealthLost")
            assert lost["data"]["event"]["reason"].startswith("the engine hangs: 1 requests run or wait")
            event = await replaced(running, of)
        assert event["former_instance_id"] == first
        assert POISON in hanging.result()
        assert len((await running.account())["servers"]) == 2
        await gone(running, of)


async def test_what_is_out_of_stock_in_the_preferred_zone_is_ready_in_the_next(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    zones = ["fr-par-2", "pl-waw-2"]
    sold_out = Failure(
        call=Call.CREATE_SERVER, error=Error.OUT_OF_STOCK, zone=zones[0], instance_type=INSTANCE_TYPE, times=None
    )
    scenario = Scenario(failures=(sold_out,))
    async with scaled_line(tmp_path, nats_url, database_url, scenario=scenario) as running:
        of = await deployed(running, min_replicas=1, zones=zones)
        await running.heard.until(of, "ReplicaAdded")
        (first,) = instances(running, of)
        ready = await running.heard.until(first, "InstanceReady")
        assert ready["data"]["instance"]["zone"] == zones[1]
        await gone(running, of)
