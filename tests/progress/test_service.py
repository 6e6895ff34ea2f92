"""The running service against a real JetStream and a real PostgreSQL, through everything that may go away."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import asyncpg

from coldstart.embedded.nats import EmbeddedNats
from coldstart.embedded.postgres import EmbeddedPostgres
from services.progress.app import running, verify_once
from services.progress.projection import checkpoint
from services.progress.projector import Projector
from shared.bus.connection import connect
from shared.bus.marks import mark_at
from shared.bus.topology import DEAD_LETTERS, apply_topology
from shared.journal.streams import LIFECYCLE, append_subject
from shared.lifecycle import events as e
from shared.postgres.connection import Connection
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.nats_proxy import nats_proxy
from tests.progress.read_model import watching
from tests.progress.service import Stage, malformed, settings_for, writing
from tests.rolled_back import rolled_back

LEADER = """
    SELECT DISTINCT pid FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND pid <> $1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def test_what_was_recorded_before_and_while_it_runs_can_be_read(stage: Stage) -> None:
    await stage.author.write_many(*h.IN_STATUS.values())
    async with running(stage.settings):
        before = await stage.author.last_sequence()
        await stage.watcher.reached(before)
        await stage.watcher.reached(await stage.author.write(h.a_ready_instance()))
    await stage.all_is_there()


async def test_a_restarted_service_goes_on_where_it_stopped(stage: Stage) -> None:
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write(h.a_ready_instance()))
    written = await stage.author.write(h.a_launch())
    async with running(stage.settings):
        await stage.watcher.reached(written)
    await stage.all_is_there()


async def test_a_stream_that_was_rolled_back_and_has_grown_past_the_checkpoint_is_projected_anew(stage: Stage) -> None:
    await stage.author.write(h.a_launch())
    async with rolled_back(stage.author.connection), running(stage.settings):
        reached = await stage.author.write(h.a_ready_instance())
        await stage.watcher.reached(reached)
    written = await stage.author.write_many(*[h.a_ready_instance()] * 3)
    assert written > reached
    (difference,) = (await verify_once(stage.settings)).differences
    assert "another stream" in difference
    async with running(stage.settings):
        await stage.watcher.reached(written)
    await stage.all_is_there()


async def test_the_checkpoint_of_an_earlier_version_is_gone_on_with_and_gets_a_mark(stage: Stage) -> None:
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write(h.a_launch()))
    await stage.database.execute("UPDATE checkpoints SET mark_sequence = NULL, mark_stored_ns = NULL")
    await stage.database.execute("UPDATE instances SET name = 'kept'")  # a rebuild would undo that
    async with running(stage.settings):
        async with asyncio.timeout(120):
            while (now := await checkpoint(stage.database)) is None or now.mark is None:
                await stage.watcher.news()
    assert now.mark == await mark_at(stage.author.connection, now.sequence)
    assert await stage.database.fetchval("SELECT name FROM instances") == "kept"


async def test_one_of_three_projects_and_another_takes_over_when_its_session_ends(stage: Stage) -> None:
    async with running(stage.settings), running(stage.settings), running(stage.settings):
        await stage.watcher.reached(await stage.author.write(h.a_launch()))
        assert len(await stage.author.projectors()) == 1
        leader = 0
        for _ in range(5):
            leader = await leader_after(stage.database, leader)
            writing_on = asyncio.create_task(stage.author.write_many(*[h.a_ready_instance()] * 3))
            await stage.database.execute("SELECT pg_terminate_backend($1)", leader)
            await stage.watcher.reached(await writing_on)
    await stage.all_is_there()


async def test_a_standby_takes_over_when_the_active_one_leaves(stage: Stage) -> None:
    async with AsyncExitStack() as first:
        await first.enter_async_context(running(stage.settings))
        await stage.watcher.reached(await stage.author.write(h.a_launch()))
        async with running(stage.settings):
            await first.aclose()
            await stage.watcher.reached(await stage.author.write(h.a_ready_instance()))
    await stage.all_is_there()


async def test_a_message_that_is_no_event_is_put_aside_and_passed(stage: Stage) -> None:
    async with running(stage.settings):
        await stage.author.write(h.a_launch())
        bad = await stage.author.publish(*malformed(uuid4()))
        await stage.watcher.reached(await stage.author.write(h.a_ready_instance()))
        letter = await stage.author.connection.jetstream().get_msg(DEAD_LETTERS, seq=1)
    assert letter.headers is not None
    assert letter.headers["Coldstart-Origin"] == f"{LIFECYCLE}:{bad}"
    assert await stage.database.fetchval("SELECT count(*) FROM instances") == 2


async def test_an_event_that_the_database_refuses_is_put_aside_and_its_neighbours_are_kept(stage: Stage) -> None:
    written = await stage.author.write(h.a_ready_instance())
    good = await stage.author.connection.jetstream().get_msg(LIFECYCLE, seq=written)
    body = json.loads(good.data or b"")
    body["data"]["instance"] |= {"version": 2**40, "progress_percent": 10_000}
    instance_id = body["data"]["instance"]["id"]
    await stage.author.publish(append_subject(instance_id, "InstanceReady"), json.dumps(body).encode())
    after = await stage.author.write(h.a_launch())
    async with running(stage.settings):
        await stage.watcher.reached(after)
        dead = await stage.author.connection.jetstream().stream_info(DEAD_LETTERS)
    assert dead.state.messages == 1
    assert await stage.database.fetchval("SELECT count(*) FROM timeline") == after - 1
    assert await stage.database.fetchval("SELECT version FROM instances WHERE id = $1", instance_id) == written


async def test_a_deleted_consumer_is_replaced(stage: Stage) -> None:
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write(h.a_launch()))
        (consumer,) = await stage.author.projectors()
        await stage.author.connection.jetstream().delete_consumer(LIFECYCLE, consumer)
        await stage.watcher.reached(await stage.author.write(h.a_ready_instance()))
    await stage.all_is_there()


async def test_a_cut_connection_to_the_stream_loses_nothing(stage: Stage) -> None:
    async with nats_proxy(stage.settings.nats_url.get_secret_value()) as proxy:
        settings = settings_for(proxy.url, stage.settings.database_url.get_secret_value())
        async with running(settings):
            await stage.watcher.reached(await stage.author.write(h.a_launch()))
            for _ in range(3):
                writing_on = asyncio.create_task(stage.author.write(h.a_ready_instance()))
                proxy.cut()
                await stage.watcher.reached(await writing_on)
    await stage.all_is_there()


async def test_a_message_lost_on_the_way_is_asked_for_again(stage: Stage) -> None:
    lost = 0

    async def lose_one(operation: object) -> bool:
        nonlocal lost
        if getattr(operation, "verb", "") == "HMSG" and b"$JS.ACK" in getattr(operation, "raw", b"") and lost == 0:
            lost += 1
            return False
        return True

    async with nats_proxy(stage.settings.nats_url.get_secret_value()) as proxy:
        proxy.to_client = lose_one
        async with running(settings_for(proxy.url, stage.settings.database_url.get_secret_value())):
            await stage.watcher.reached(await stage.author.write(h.a_ready_instance()))
    assert lost == 1
    await stage.all_is_there()


async def test_another_stream_than_the_one_projected_replaces_the_read_model(stage: Stage) -> None:
    jetstream = stage.author.connection.jetstream()
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write(h.a_ready_instance()))
        await jetstream.delete_stream(LIFECYCLE)
        await apply_topology(jetstream, replicas=1, ack_wait_s=30)
        await stage.author.write(h.a_launch())
        async with asyncio.timeout(120):
            while await stage.database.fetchval("SELECT count(*) FROM timeline") != len(h.a_launch()):
                await stage.watcher.news()
        await stage.watcher.reached(await stage.author.write(h.a_launch()))
    await stage.all_is_there()


async def test_a_stream_restored_to_an_earlier_state_replaces_the_read_model(stage: Stage) -> None:
    await stage.author.write(h.a_launch())
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.last_sequence())
    await stage.database.execute("UPDATE checkpoints SET sequence = 1000")
    async with running(stage.settings):
        async with asyncio.timeout(120):
            while (await stage.database.fetchval("SELECT sequence FROM checkpoints")) == 1000:
                await stage.watcher.news()
        await stage.watcher.reached(await stage.author.write(h.a_launch()))
    await stage.all_is_there()


async def test_an_outage_of_the_stream_is_waited_out(tmp_path: Path, database_url: str) -> None:
    async with EmbeddedNats(tmp_path) as nats:
        url = nats.url
    async with watching(database_url) as (watcher, database), AsyncExitStack() as service:
        async with EmbeddedNats(tmp_path), writing(url) as author:
            await service.enter_async_context(running(settings_for(url, database_url)))
            await watcher.reached(await author.write(h.a_launch()))
        async with EmbeddedNats(tmp_path) as again, writing(url) as author:
            assert again.url == url
            await watcher.reached(await author.write(h.a_ready_instance()))
            await Stage(author, settings_for(url, database_url), watcher, database).all_is_there()
            await service.aclose()


async def test_an_outage_of_the_database_loses_nothing(tmp_path: Path, nats_url: str) -> None:
    async with EmbeddedPostgres(tmp_path) as postgres:
        url = postgres.url
    async with writing(nats_url) as author, AsyncExitStack() as service:
        async with EmbeddedPostgres(tmp_path):
            projector = await service.enter_async_context(running(settings_for(nats_url, url)))
            async with watching(url) as (watcher, _):
                await watcher.reached(await author.write(h.a_launch()))
        written = await author.write(h.a_ready_instance())
        await failed_at_least_once(projector)
        async with EmbeddedPostgres(tmp_path) as again, watching(url) as (watcher, database):
            assert again.url == url
            await watcher.reached(written)
            await Stage(author, settings_for(nats_url, url), watcher, database).all_is_there()
            await service.aclose()


async def test_a_stop_is_not_lost_when_the_database_goes_at_the_same_moment(stage: Stage) -> None:
    following = asyncio.Event()

    class LosingTheDatabase(Projector):
        async def _lead(self) -> NoReturn:
            following.set()
            try:
                await asyncio.Event().wait()
            finally:
                raise asyncpg.InterfaceError("cannot perform operation: connection is closed")

    connection = await connect(stage.settings.nats_url.get_secret_value(), "projector")
    projecting = asyncio.create_task(LosingTheDatabase(connection, stage.settings).run())
    async with asyncio.timeout(120):
        await following.wait()
        projecting.cancel()
        await asyncio.wait({projecting})
    assert projecting.cancelled()
    await connection.close()


async def leader_after(database: Connection, previous: int) -> int:
    """The backend of the projector that leads, once another than the previous one does."""
    async with asyncio.timeout(120):
        while (leader := await database.fetchval(LEADER, previous)) is None:  # noqa: ASYNC110  nor an election
            await asyncio.sleep(0.01)
    assert isinstance(leader, int)
    return leader


async def failed_at_least_once(projector: Projector) -> None:
    async with asyncio.timeout(120):
        while projector.failures == 0:  # noqa: ASYNC110  nobody announces a failed try
            await asyncio.sleep(0.01)


async def test_a_projected_event_is_announced_only_once_it_can_be_read(stage: Stage) -> None:
    async with running(stage.settings):
        written = await stage.author.write((f.instance_requested(),))
        await stage.watcher.reached(written)
        row = await stage.database.fetchrow("SELECT type, sequence FROM timeline")
    assert row is not None
    assert (row["type"], row["sequence"]) == (e.InstanceRequested.__name__, written)
