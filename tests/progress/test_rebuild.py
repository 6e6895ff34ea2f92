"""A rebuilt read model is the one that living through it gave, whatever goes on meanwhile."""

import asyncio
from uuid import uuid4

import pytest
from nats.aio.msg import Msg

from services.progress.app import rebuild_once, running
from services.progress.projection import Checkpoint
from services.progress.rebuild import SchemaChanged, rebuild
from services.progress.shadow import RebuildRunning
from shared.bus.topology import WATCH
from shared.journal.streams import LIFECYCLE
from shared.postgres.connection import DATABASE_ERRORS, Connection
from tests.bus.older_streams import let_events_be_deleted
from tests.lifecycle import histories as h
from tests.progress.read_model import all_rows
from tests.progress.service import Stage, malformed

SHAPE = """
    SELECT tablename AS of, indexname AS name, indexdef AS definition FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT objoid::regclass::text, objsubid::text, description
    FROM pg_description WHERE objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    ORDER BY 1, 2, 3
"""
DAMAGE = """
    DELETE FROM timeline WHERE version % 3 = 0;
    UPDATE instances SET status = 'ready', progress_percent = 1, version = version + 1000;
    TRUNCATE step_durations;
"""


async def shape(database: Connection) -> list[dict[str, object]]:
    return [dict(row) for row in await database.fetch(SHAPE)]


async def test_a_rebuild_gives_the_rows_that_living_through_it_gave(stage: Stage) -> None:
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write_many(*h.IN_STATUS.values()))
    rows, tables = await all_rows(stage.database), await shape(stage.database)
    await stage.database.execute(DAMAGE)
    rebuilt = await rebuild_once(stage.settings)
    assert rebuilt.sequence == await stage.author.last_sequence()
    assert await all_rows(stage.database) == rows
    assert await shape(stage.database) == tables


async def test_a_rebuild_changes_nothing_of_the_streams_whatever_its_own_settings_are(stage: Stage) -> None:
    jetstream = stage.author.connection.jetstream()
    before = (await jetstream.consumer_info(LIFECYCLE, WATCH.durable)).config
    await rebuild_once(stage.settings.model_copy(update={"lease_seconds": 300.0, "stream_replicas": 3}))
    assert (await jetstream.consumer_info(LIFECYCLE, WATCH.durable)).config == before


async def test_projecting_goes_on_during_a_rebuild_and_after_it(stage: Stage) -> None:
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write_many(*h.IN_STATUS.values()))
        for _ in range(3):
            await stage.database.execute(DAMAGE)
            writing_on = asyncio.create_task(stage.author.write_many(*[h.a_ready_instance()] * 8))
            await rebuild_once(stage.settings)
            await stage.watcher.reached(await writing_on)
            await stage.all_is_there()
        await stage.watcher.reached(await stage.author.write(h.a_launch()))
    await stage.all_is_there()
    rows = await all_rows(stage.database)
    await rebuild_once(stage.settings)
    assert await all_rows(stage.database) == rows


async def test_nothing_that_could_be_read_before_is_missing_right_after(stage: Stage) -> None:
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write_many(*[h.a_ready_instance()] * 4))
        writing_on = asyncio.create_task(stage.author.write_many(*[h.a_ready_instance()] * 12))
        counts = []
        rebuilding = asyncio.create_task(rebuild_once(stage.settings))
        while not rebuilding.done():
            counts.append(await stage.database.fetchval("SELECT count(*) FROM timeline"))
            await asyncio.sleep(0)
        await rebuilding
        counts.append(await stage.database.fetchval("SELECT count(*) FROM timeline"))
        assert counts == sorted(counts)
        await stage.watcher.reached(await writing_on)


async def test_an_empty_stream_can_be_rebuilt_from(stage: Stage) -> None:
    rebuilt = await rebuild_once(stage.settings)
    assert rebuilt.sequence == 0
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write(h.a_launch()))
    await stage.all_is_there()


async def test_events_deleted_from_the_end_of_the_stream_do_not_keep_a_rebuild_waiting(stage: Stage) -> None:
    await let_events_be_deleted(stage.author.connection.jetstream())
    last = await stage.author.write(h.a_launch())
    await stage.author.connection.jetstream().delete_msg(LIFECYCLE, last)
    assert (await rebuild_once(stage.settings)).sequence == last
    assert await stage.database.fetchval("SELECT count(*) FROM timeline") == last - 1


async def test_two_rebuilds_at_once_are_one(stage: Stage) -> None:
    await stage.author.write(h.a_launch())
    outcomes = await asyncio.gather(*(rebuild_once(stage.settings) for _ in range(4)), return_exceptions=True)
    assert any(isinstance(outcome, Checkpoint) for outcome in outcomes)
    assert all(isinstance(outcome, Checkpoint | RebuildRunning) for outcome in outcomes)
    await stage.all_is_there()


async def test_a_rebuild_that_is_broken_off_leaves_everything_as_it_was(stage: Stage) -> None:
    async def break_off(_: Msg, __: str) -> None:
        await stage.database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'coldstart rebuild'"
        )

    async with running(stage.settings):
        await stage.author.write(h.a_launch())
        await stage.watcher.reached(await stage.author.publish(*malformed(uuid4())))
        rows = await all_rows(stage.database)
        url = stage.settings.database_url.get_secret_value()
        with pytest.raises(DATABASE_ERRORS):
            await rebuild(stage.author.connection, url, put_aside=break_off)
        assert await all_rows(stage.database) == rows
        await rebuild_once(stage.settings)
        assert await all_rows(stage.database) == rows
        await stage.watcher.reached(await stage.author.write(h.a_launch()))


async def test_a_migration_during_a_rebuild_keeps_the_migrated_tables(stage: Stage) -> None:
    async def migrated(_: Msg, __: str) -> None:
        await stage.database.execute("INSERT INTO schema_migrations VALUES (9999, '9999_later.sql', '')")

    async with running(stage.settings):
        await stage.author.write(h.a_launch())
        await stage.watcher.reached(await stage.author.publish(*malformed(uuid4())))
    rows = await all_rows(stage.database)
    with pytest.raises(SchemaChanged):
        await rebuild(
            stage.author.connection, stage.settings.database_url.get_secret_value(), put_aside=migrated, heartbeat_s=0.2
        )
    assert await all_rows(stage.database) == rows
    await stage.database.execute("DELETE FROM schema_migrations WHERE version = 9999")  # others get this database
