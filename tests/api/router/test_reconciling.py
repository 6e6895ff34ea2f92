"""The read model corrects the routing table, which is not used after it has heard nothing for too long."""

import asyncio
import json
from uuid import uuid4

import asyncpg
from aiohttp import web
from pydantic import SecretStr

from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from tests.api.deployments import examples as x
from tests.api.deployments.examples import after
from tests.api.router.scene import a_scene, answering, drops
from tests.api.router.sleeping import asleep
from tests.api.stage import PATIENCE_S, Stage, until
from tests.lifecycle import facts
from tests.nats_proxy import Operation, nats_proxy


async def projected(stage: Stage, instance: Instance) -> None:
    """The read model has this instance, and the api has heard no event of it."""
    connection = await asyncpg.connect(stage.database_url)
    try:
        await connection.execute(
            "UPDATE instances SET snapshot = $2, status = $3, version = $4 WHERE id = $1",
            instance.id,
            json.dumps(instance.model_dump(mode="json")),
            instance.status,
            instance.version,
        )
    finally:
        await connection.close()


async def rows(stage: Stage) -> int:
    connection = await asyncpg.connect(stage.database_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM instances"))
    finally:
        await connection.close()


async def test_an_event_that_was_missed_is_made_up_for_within_the_period(stage: Stage) -> None:
    await stage.projector()
    scene = await a_scene(stage, 2, routes_refresh_seconds=0.1)

    async def both() -> bool:
        return await rows(stage) == 2

    await until(both)
    ready = scene.instances[0]
    missed = ready.model_copy(update={"status": Status.DRAINING, "version": ready.version + 1})
    await projected(stage, missed)
    await scene.eligible(1)
    assert "coldstart_router_corrections_total 1.0" in (await scene.api.client.get("/metrics")).text
    scene.all_answer(answering(200))
    for _ in range(4):
        await scene.api.chat()
    assert scene.asked == [0, 4]


async def test_a_deployment_s_event_that_was_missed_is_made_up_for_too(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(routes_refresh_seconds=0.1)
    sleeping = await asleep(stage, api)
    missed = after(await sleeping.journal.load(sleeping.id), x.paused())
    connection = await asyncpg.connect(stage.database_url)

    async def projected() -> bool:
        statement = "UPDATE deployments SET snapshot = $2, version = $3, status = $4 WHERE id = $1"
        values = (json.dumps(missed.model_dump(mode="json")), missed.version, missed.status)
        return bool(await connection.execute(statement, sleeping.id, *values) == "UPDATE 1")

    try:
        await until(projected)
    finally:
        await connection.close()
    await sleeping.known(status="paused")


async def test_a_connection_that_was_lost_is_followed_by_a_look_at_the_read_model(stage: Stage) -> None:
    await stage.projector()
    async with nats_proxy(stage.nats_url) as wire:
        api = await stage.api(nats_url=SecretStr(wire.url), routes_refresh_seconds=3_600)
        scene = await a_scene(stage, api=api)

        async def there() -> bool:
            return await rows(stage) == 1

        await until(there)
        ready = scene.instances[0]
        await projected(stage, ready.model_copy(update={"status": Status.UNAVAILABLE, "version": ready.version + 1}))
        assert (await scene.api.chat()).status_code == 200, "nobody looks yet"
        wire.cut()
        await scene.eligible(0)
        await scene.api.client.aclose()
        await stage.stack.aclose()


async def test_a_draining_instance_gets_nothing_from_an_api_that_has_lost_touch_for_longer_than_the_limit(
    stage: Stage,
) -> None:
    async with nats_proxy(stage.nats_url) as wire:
        api = await stage.api(nats_url=SecretStr(wire.url), router_staleness_seconds=0.6, journal_timeout_seconds=0.3)
        scene = await a_scene(stage, api=api)

        async def lost(_: Operation) -> bool:
            return False

        wire.to_client = lost
        await stage.happened(facts.drain_requested(), instance_id=scene.instances[0].id)

        async def stale() -> bool:
            return bool((await scene.api.chat()).json().get("error", {}).get("code") == "routes_stale")

        await until(stale)
        scene.all_answer(answering(200))
        for _ in range(5):
            refused = await scene.api.chat()
            assert refused.status_code == 503
        assert scene.asked == [0]
        assert (await scene.api.client.get("/readyz")).status_code == 503
        await scene.api.client.aclose()
        await stage.stack.aclose()


async def test_past_the_limit_a_retry_asks_nobody_else_either(stage: Stage) -> None:
    async with nats_proxy(stage.nats_url) as wire:
        api = await stage.api(
            nats_url=SecretStr(wire.url), router_staleness_seconds=0.6, journal_timeout_seconds=0.3,
            worker_silence_seconds=PATIENCE_S,
        )  # fmt: skip
        scene = await a_scene(stage, 2, api=api)
        go_on = asyncio.Event()

        async def drops_late(request: web.Request) -> web.StreamResponse:
            await go_on.wait()
            return await drops(request)

        scene.all_answer(drops_late)
        asking = asyncio.create_task(scene.api.chat())

        async def asked() -> bool:
            return sum(scene.asked) == 1

        await until(asked)

        async def lost(_: Operation) -> bool:
            return False

        wire.to_client = lost

        async def stale() -> bool:
            return (await scene.api.client.get("/readyz")).status_code == 503

        await until(stale)
        go_on.set()
        answer = await asking
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "routes_stale")
        assert sum(scene.asked) == 1
        await scene.api.client.aclose()
        await stage.stack.aclose()


async def test_a_snapshot_of_a_newer_version_is_passed_over(stage: Stage) -> None:
    await stage.projector()
    scene = await a_scene(stage, routes_refresh_seconds=0.05)
    connection = await asyncpg.connect(stage.database_url)
    try:

        async def there() -> bool:
            return await rows(stage) == 1

        await until(there)
        ready = scene.instances[0]
        known = ready.model_copy(update={"status": Status.UNAVAILABLE, "version": ready.version + 1})
        await connection.execute(
            "INSERT INTO instances SELECT ($2::jsonb ->> 'id')::uuid, version, sequence, organization_id, name, model, "
            "provider, zone, instance_type, status, progress_percent, step, attempt, created_at, updated_at, ready_at, "
            "ended_at, jsonb_set(snapshot, '{status}', '\"dreaming\"') FROM instances WHERE id = $1",
            ready.id,
            json.dumps({"id": str(uuid4())}),
        )
        await projected(stage, known)
        await scene.eligible(0)
    finally:
        await connection.close()
