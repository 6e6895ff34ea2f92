"""What the api does while something that it needs is down, and after it has come back."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
from pydantic import SecretStr

from services.progress.app import running
from shared.bus.installation import installation_of
from shared.bus.topology import RELEASE, apply_topology
from shared.journal.streams import LIFECYCLE
from shared.lifecycle.status import Status
from tests.api.feed.test_events import following
from tests.api.router.test_inference import catalogued
from tests.api.stage import BODY, MODEL, RunningApi, Stage, until
from tests.bus.test_topology_guard import OVERWRITTEN
from tests.lifecycle import facts
from tests.nats_proxy import Operation, nats_proxy
from tests.rolled_back import rolled_back


async def status_of(api: RunningApi, path: str, method: str = "GET") -> int:
    return (await api.client.request(method, path)).status_code


@asynccontextmanager
async def database_away(stage: Stage) -> AsyncGenerator[None]:
    """Cut every connection and refuse new ones."""
    target = urlsplit(stage.database_url)
    name = target.path[1:]
    connection = await asyncpg.connect(target._replace(path="/postgres").geturl())
    try:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        yield
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    finally:
        await connection.close()


async def test_with_the_database_away_inference_and_requests_go_on(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api)
    await stage.ready(worker.address)
    await api.routes()
    async with api.as_(await api.user_key()) as user:
        async with database_away(stage):
            for _ in range(3):
                answer = await user.post("/v1/chat/completions", json={"model": MODEL, "messages": []})
                assert answer.status_code == 200
            assert await status_of(api, "/readyz") == 200
            away = await api.client.get("/instances")
            assert (away.status_code, away.json()["code"]) == (503, "database_unavailable")
            accepted = await api.client.post("/instances", json=BODY)
            assert accepted.status_code == 202, accepted.text
            assert await status_of(api, accepted.headers["location"]) == 200

        async def back() -> bool:
            return await status_of(api, "/instances") == 200

        await until(back)


async def test_without_word_from_the_stream_the_router_stops_and_begins_again_when_it_is_back(stage: Stage) -> None:
    worker = await stage.worker()
    async with nats_proxy(stage.nats_url) as wire:
        api = await stage.api(nats_url=SecretStr(wire.url), router_staleness_seconds=0.6, journal_timeout_seconds=0.3)
        await catalogued(api)
        instance = await stage.ready(worker.address)
        await api.routes()

        async def lost(_: Operation) -> bool:
            return False

        wire.to_client = lost

        async def not_ready() -> bool:
            return await status_of(api, "/readyz") == 503

        await until(not_ready)
        refused = await api.chat()
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "routes_stale")
        assert refused.headers["retry-after"]
        unavailable = await api.client.post("/instances", json=BODY)
        assert (unavailable.status_code, unavailable.json()["code"]) == (503, "journal_unavailable")
        assert await status_of(api, "/healthz") == 200

        await stage.happened(facts.termination_requested(), instance_id=instance.id)
        successor = await stage.worker()
        await stage.ready(successor.address)
        worker.seen.clear()
        wire.to_client = _pass
        wire.cut()
        await api.routes()
        assert worker.seen == [], "what was missed was taken in before anything was routed again"
        assert await status_of(api, "/readyz") == 200
        await api.client.aclose()
        await stage.stack.aclose()


async def _pass(_: Operation) -> bool:
    return True


async def test_a_deleted_consumer_is_made_anew_without_a_gap(stage: Stage) -> None:
    api = await stage.api()
    jetstream = stage.connection.jetstream()
    async with following(api) as follower:
        for _ in range(3):
            await stage.happened(facts.instance_requested())
            for consumer in await jetstream.consumers_info(LIFECYCLE):
                if not consumer.config.durable_name:
                    await jetstream.delete_consumer(LIFECYCLE, consumer.name)
            await stage.happened(facts.instance_requested())
        sequences = [int(message.id.partition("-")[2]) for message in await follower.take(6)]
    assert sequences == [1, 2, 3, 4, 5, 6]


async def test_another_stream_is_another_epoch_routes_and_positions_of_the_old_one_are_forgotten(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api)
    await stage.ready(worker.address)
    await api.routes()
    async with following(api, **{"from": "start"}) as follower:
        (old, *_) = await follower.take(1)
    jetstream = stage.connection.jetstream()
    await jetstream.delete_stream(LIFECYCLE)
    await apply_topology(jetstream, replicas=1, ack_wait_s=30)

    async def forgotten() -> bool:
        return '"model_not_ready"' in (await api.chat()).text

    await until(forgotten)
    await stage.happened(facts.instance_requested())
    async with following(api, last=old.id) as follower:
        (reset,) = await follower.take(1)
    assert reset.event == "reset"
    assert not reset.id.startswith(old.id.partition("-")[0])


async def test_of_a_stream_that_was_rolled_back_and_has_grown_since_no_lost_event_counts(stage: Stage) -> None:
    """The api does not see it happen, and a second one starts with the read model of the lost events."""
    worker = await stage.worker()
    async with nats_proxy(stage.nats_url) as wire:
        api = await stage.api(nats_url=SecretStr(wire.url))
        await catalogued(api)
        await stage.happened(facts.instance_requested())
        async with rolled_back(stage.connection):
            async with running(stage.progress_settings()):
                instance = await stage.ready(worker.address)
                await api.projected(instance)
            await api.routes()
            async with following(api, **{"from": "start"}) as follower:
                *_, lost = await follower.take(await stage.last_sequence())
            listed = (await api.client.get("/instances")).headers["last-event-id"]
            assert listed == lost.id
            wire.to_client = _dropped
        kept = [await stage.happened(facts.instance_requested()) for _ in range(20)]
        second = await stage.api()
        wire.to_client = _pass
        wire.cut()
        for each in (api, second):

            async def forgotten(each: RunningApi = each) -> bool:
                return '"model_not_ready"' in (await each.chat()).text

            await until(forgotten)
            async with following(each, last=lost.id) as follower:
                (reset,) = await follower.take(1)
            assert reset.event == "reset"
            behind = (await each.client.get("/instances")).headers["last-event-id"]
            assert behind.endswith("-0"), "the rows are of lost events"
            async with following(each, last=behind) as follower:
                seen = [message.json()["subject"] for message in await follower.take(21)]
            assert seen[1:] == [str(instance.id) for instance in kept]
        async with running(stage.progress_settings()):
            await second.projected(kept[-1])
        async with following(second, last=(await second.client.get("/instances")).headers["last-event-id"]) as follower:
            later = await stage.happened(facts.instance_requested())
            assert [message.json()["subject"] for message in await follower.take(1)] == [str(later.id)]
        await api.client.aclose()
        await stage.stack.aclose()


async def _dropped(_: Operation) -> bool:
    return False


async def test_a_starting_api_routes_by_the_read_model_and_goes_on_with_the_stream(stage: Stage) -> None:
    first, second = await stage.worker(), await stage.worker()
    await stage.projector()
    instance = await stage.ready(first.address)
    warm = await stage.api(projection_wait_seconds=5)
    await catalogued(warm)
    assert await status_of(warm, f"/instances/{instance.id}/timeline") == 200
    api = await stage.api()
    await api.routes()
    assert first.seen
    await stage.ready(second.address)

    async def both() -> bool:
        await api.chat()
        return bool(second.seen)

    await until(both)


async def test_events_reach_clients_while_the_database_is_away(stage: Stage) -> None:
    api = await stage.api()
    async with database_away(stage), following(api) as follower:
        happening = asyncio.create_task(stage.happened(facts.instance_requested()))
        (message,) = await follower.take(1)
        assert message.event == "InstanceRequested"
        await happening


async def test_what_another_program_did_to_the_stream_is_changed_back_and_no_intent_is_lost_meanwhile(
    stage: Stage,
) -> None:
    """As by a client that declares the stream with its own defaults. The consumers are deleted, too."""
    api = await stage.api()
    jetstream = stage.connection.jetstream()
    for _ in range(3):
        instance = await stage.happened(facts.instance_requested())
        config = (await jetstream.stream_info(LIFECYCLE)).config
        await jetstream.update_stream(config.evolve(**OVERWRITTEN))
        await jetstream.delete_consumer(LIFECYCLE, RELEASE.durable)
        answered = await status_of(api, f"/instances/{instance.id}", "DELETE")
        assert answered in {202, 503}
        if answered == 202:
            assert (await stage.journal.load(instance.id)).status is Status.TERMINATING

    async def mended() -> object:
        consumers = {consumer.name for consumer in await jetstream.consumers_info(LIFECYCLE)}
        return installation_of((await jetstream.stream_info(LIFECYCLE)).config) and RELEASE.durable in consumers

    await until(mended)
    instance = await stage.happened(facts.instance_requested())
    assert await status_of(api, f"/instances/{instance.id}", "DELETE") == 202
    assert (await stage.journal.load(instance.id)).status is Status.TERMINATING
    assert await status_of(api, "/readyz") == 200


async def test_while_nothing_can_be_recorded_readyz_says_why_and_an_intent_is_refused(stage: Stage) -> None:
    api = await stage.api(journal_timeout_seconds=1.0)

    async def ready() -> bool:
        return await status_of(api, "/readyz") == 200

    await until(ready)
    instance = await stage.happened(facts.instance_requested())
    await stage.connection.jetstream().delete_stream(LIFECYCLE)

    async def told() -> bool:
        answer = await api.client.get("/readyz")
        return answer.status_code == 503 and answer.json()["code"] == "events_not_recorded"

    await until(told)
    assert "restore its backup" in (await api.client.get("/readyz")).json()["detail"]
    assert await status_of(api, f"/instances/{instance.id}", "DELETE") == 503


async def test_readyz_remembers_an_append_that_the_stream_refused_until_one_succeeds(stage: Stage) -> None:
    """As with a full disk: writes are refused, everything else is answered."""
    instance = await stage.happened(facts.instance_requested())
    async with nats_proxy(stage.nats_url) as proxy:
        api = await stage.api(nats_url=SecretStr(proxy.url), journal_timeout_seconds=3.0)

        async def swallow(operation: Operation) -> bool:
            return not operation.subject.startswith(f"journal.{instance.id}")

        proxy.to_server = swallow
        assert await status_of(api, f"/instances/{instance.id}", "DELETE") == 503
        refused = await api.client.get("/readyz")
        assert (refused.status_code, refused.json()["code"]) == (503, "events_not_recorded")
        assert "the last append was not taken in" in refused.json()["detail"]
        proxy.to_server = _pass
        assert await status_of(api, f"/instances/{instance.id}", "DELETE") == 202
        assert await status_of(api, "/readyz") == 200
        await stage.stack.aclose()
