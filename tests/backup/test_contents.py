"""What is restored is what was there when the backup began, and hangs together, whatever was written meanwhile."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from coldstart.backup import contents
from coldstart.backup.contents import Member, check, load_contents, save_contents
from coldstart.backup.errors import BackupUnreadable, NotRestored
from coldstart.backup.streams import restore_stream, snapshot
from coldstart.backup.tables import KEPT
from services.progress.app import compact_once, rebuild_once, running, verify_once
from services.progress.settings import ProgressSettings
from services.progress.verify import TABLES as READ_MODEL
from shared.bus.agreed import LEASE, SCHEMA, TOPOLOGY, our_own
from shared.bus.connection import connect
from shared.bus.topology import DEAD_LETTERS, TRIGGERS, apply_topology
from shared.journal.deployments import DeploymentJournal
from shared.journal.envelope import SCHEMA_VERSION, decode
from shared.journal.streams import LIFECYCLE
from shared.postgres.connection import Connection, connect_pool, connecting
from shared.postgres.migrate import found, migrate
from tests.deployments import facts as d
from tests.deployments.recording import happened
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.progress.read_model import all_rows
from tests.progress.service import Stage, patient, settings_for, writing
from tests.scratch import new_database

LATER = datetime.now(UTC) + timedelta(days=400)
FILES = {"master-secret": b"a secret of enough characters, of the installation"}
OTHERS = {"schema_migrations", "checkpoints", *READ_MODEL}
"""Tables that are computed, or made by the migrations."""


@pytest.fixture
async def elsewhere(accounts: Iterator[str]) -> str:
    """Another NATS account, as empty as a new server."""
    return next(accounts)


class Backup:
    """Collects the parts in memory; `between` is awaited before each part's first piece."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.kept: dict[str, bytes] = {}

    async def put(self, name: str, data: bytes) -> None:
        self.members.append((name, data))

    async def of(self, stage: Stage) -> "Backup":
        await save_contents(*urls(stage), FILES, self.put)
        return self

    async def restored(self, nats_url: str, database_url: str) -> contents.Amounts:
        return await load_contents(iter(self.members), nats_url, database_url, replicas=1, keep=self.kept.__setitem__)


def urls(stage: Stage) -> tuple[str, str]:
    return stage.settings.nats_url.get_secret_value(), stage.settings.database_url.get_secret_value()


class WhileWriting(Backup):
    """Before each part is put, an organisation is added, and then an instance of it is requested and launched."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage
        self._parts: set[str] = set()

    async def put(self, name: str, data: bytes) -> None:
        if (part := name.rpartition("/")[0]) not in self._parts:
            self._parts.add(part)
            organization = await an_organization(self._stage.database)
            await self._stage.author.write(h.a_ready_instance(organization_id=organization))
        await super().put(name, data)


async def an_organization(database: Connection) -> UUID:
    made = uuid4()
    await database.execute("INSERT INTO organizations (id, slug, name) VALUES ($1, $2, 'x')", made, f"o-{made.hex[:8]}")
    return made


async def every_message(connection: Client) -> list[tuple[int, str, bytes, object]]:
    jetstream = connection.jetstream(timeout=60)
    info = await jetstream.stream_info(LIFECYCLE)
    found = [await jetstream.get_msg(LIFECYCLE, seq=number) for number in range(1, info.state.last_seq + 1)]
    return [(each.seq or 0, each.subject or "", each.data or b"", each.time) for each in found]


async def test_events_come_back_with_their_sequences_and_times_and_are_delivered_once_more(
    stage: Stage, elsewhere: str, empty_database_url: str
) -> None:
    await stage.author.write_many(*h.IN_STATUS.values())
    await happened(DeploymentJournal(stage.author.connection, actor="test", source="/test"), d.deployment_created())
    before = await every_message(stage.author.connection)
    backup = await Backup().of(stage)
    amounts = await backup.restored(elsewhere, empty_database_url)
    assert (amounts.events, backup.kept) == (len(before), FILES)
    connection = await connect(elsewhere, "test")
    try:
        assert await every_message(connection) == before
        assert await connection.jetstream(timeout=60).consumers_info(LIFECYCLE) == []
        await apply_topology(connection.jetstream(timeout=60), replicas=1, ack_wait_s=30)
        pending = [await connection.jetstream(timeout=60).consumer_info(LIFECYCLE, each.durable) for each in TRIGGERS]
        assert all(info.num_pending for info in pending)
    finally:
        await connection.close()
    verdict = await verify_once(patient(settings_for(elsewhere, empty_database_url)))
    assert (verdict.events, verdict.differences) == (len(before), ())


async def test_what_restored_events_name_is_in_the_restored_tables_though_all_is_written_meanwhile(
    stage: Stage, elsewhere: str, empty_database_url: str
) -> None:
    backup = await WhileWriting(stage).of(stage)
    await backup.restored(elsewhere, empty_database_url)
    connection = await connect(elsewhere, "test")
    try:
        restored = await every_message(connection)
    finally:
        await connection.close()
    assert 0 < len(restored) < await stage.author.last_sequence()
    async with connecting(empty_database_url, name="test") as database:
        known = {row["id"] for row in await database.fetch("SELECT id FROM organizations")}
    named = {decode(data, sequence, f.AT).instance.specification.organization_id for sequence, _, data, _ in restored}
    assert named <= known
    verdict = await verify_once(patient(settings_for(elsewhere, empty_database_url)))
    assert verdict.differences == ()


async def test_a_restored_stream_remembers_what_its_services_have_agreed_on(
    stage: Stage, elsewhere: str, empty_database_url: str
) -> None:
    agreed = await metadata_at(stage.author.connection)
    assert {LEASE, SCHEMA, TOPOLOGY} <= agreed.keys()
    await (await Backup().of(stage)).restored(elsewhere, empty_database_url)
    connection = await connect(elsewhere, "test")
    assert await metadata_at(connection) == agreed
    await connection.close()


async def test_events_of_a_newer_schema_are_refused_though_the_tables_are_the_same(
    stage: Stage, elsewhere: str, empty_database_url: str
) -> None:
    jetstream = stage.author.connection.jetstream()
    found = (await jetstream.stream_info(LIFECYCLE)).config
    newer = our_own(found.metadata) | {SCHEMA: str(SCHEMA_VERSION + 1)}
    await jetstream.update_stream(found.evolve(metadata=newer))
    with pytest.raises(BackupUnreadable, match="newer than this one"):
        await (await Backup().of(stage)).restored(elsewhere, empty_database_url)
    assert await streams_at(elsewhere) == set()


async def metadata_at(connection: Client) -> dict[str, str]:
    return our_own((await connection.jetstream(timeout=60).stream_info(LIFECYCLE)).config.metadata)


async def test_a_database_that_began_with_its_stream_has_done_so_after_its_restoration(
    stage: Stage, elsewhere: str, empty_database_url: str
) -> None:
    """Otherwise one without keys and models of its own would count as lost."""
    await stage.author.write(h.a_ready_instance())
    began = {"installation": uuid4(), "lost_events": 0, "began_at": f.AT, "accepted_at": None}
    await stage.database.execute("INSERT INTO beginnings VALUES ($1, $2, $3, $4)", *began.values())
    await (await Backup().of(stage)).restored(elsewhere, empty_database_url)
    async with connecting(empty_database_url, name="test") as database:
        assert [dict(row) for row in await database.fetch("SELECT * FROM beginnings")] == [began]


class WhileCompacting(Backup):
    """When the archive is put, another instance is compacted."""

    def __init__(self, compacting: ProgressSettings) -> None:
        super().__init__()
        self._compacting = compacting

    async def put(self, name: str, data: bytes) -> None:
        if name.startswith("archive/"):
            assert (await compact_once(self._compacting, LATER)).histories == 1
        await super().put(name, data)


async def test_a_history_that_is_compacted_meanwhile_is_in_the_backup(
    stage: Stage, elsewhere: str, empty_database_url: str, tmp_path: Path
) -> None:
    settings = patient(stage.settings).model_copy(update={"archive_dir": tmp_path / "archive"})
    async with running(settings):
        await stage.watcher.reached(await stage.author.write(h.a_terminated_instance()))
        await compact_once(settings, LATER)
        await stage.watcher.reached(await stage.author.write(h.a_terminated_instance()))
        rows = await all_rows(stage.database)
    backup = WhileCompacting(settings)
    await save_contents(*urls(stage), FILES, backup.put, archive=settings.archive_dir)
    await backup.restored(elsewhere, empty_database_url)
    for name, data in backup.kept.items():
        written(tmp_path / "restored" / name, data)
    restored = patient(settings_for(elsewhere, empty_database_url)).model_copy(
        update={"archive_dir": tmp_path / "restored/archive"}
    )
    await rebuild_once(restored)
    assert (await verify_once(restored)).differences == ()
    async with connecting(empty_database_url, name="test") as database:
        assert await all_rows(database) == rows


def written(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


async def test_a_stream_of_many_chunks_comes_back_whole(nats_url: str, elsewhere: str) -> None:
    """More than the server sends ahead, and nothing that it could compress."""
    source, target = await connect(nats_url, "test"), await connect(elsewhere, "test")
    try:
        await apply_topology(source.jetstream(timeout=60), replicas=1, ack_wait_s=5)
        bodies = [os.urandom(500_000) for _ in range(40)]
        for body in bodies:
            await source.jetstream(timeout=60).publish("dead_letters.x", body)
        async with snapshot(source, DEAD_LETTERS) as taken:
            assert taken is not None
            await restore_stream(target, taken.config, taken.state, taken.chunks)
        found = [
            await target.jetstream(timeout=60).get_msg(DEAD_LETTERS, seq=number + 1) for number in range(len(bodies))
        ]
        assert [each.data for each in found] == bodies
        async with snapshot(source, "NO_SUCH_STREAM") as none:
            assert none is None
    finally:
        await source.close()
        await target.close()


async def test_a_place_that_is_in_use_is_refused_and_left_as_it_is(
    stage: Stage, elsewhere: str, empty_database_url: str
) -> None:
    await stage.author.write(h.a_ready_instance())
    backup = await Backup().of(stage)
    nats_url, database_url = urls(stage)
    with pytest.raises(NotRestored, match="NATS already has the stream DEAD_LETTERS"):
        await backup.restored(nats_url, empty_database_url)
    with pytest.raises(NotRestored, match="the database already has Coldstart's tables"):
        await backup.restored(elsewhere, database_url)
    assert await streams_at(elsewhere) == set()
    async with connecting(empty_database_url, name="test") as database:
        assert await database.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


async def test_a_restore_that_fails_takes_back_what_it_had_made(
    stage: Stage, elsewhere: str, empty_database_url: str
) -> None:
    await stage.author.write(h.a_ready_instance())
    backup = await Backup().of(stage)
    backup.members.insert(-1, ("tables/models/columns", b'["nonsense"]'))
    with pytest.raises(Exception, match="nonsense"):
        await backup.restored(elsewhere, empty_database_url)
    assert await streams_at(elsewhere) == set()


async def streams_at(nats_url: str) -> set[str]:
    connection = await connect(nats_url, "test")
    try:
        return {str(info.config.name) for info in await connection.jetstream(timeout=60).streams_info()}
    except NotFoundError:
        return set()
    finally:
        await connection.close()


async def test_every_table_is_either_kept_or_computed(database_url: str) -> None:
    async with connecting(database_url, name="test") as database:
        rows = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {row["tablename"] for row in rows} == {*KEPT} | OTHERS


async def test_rows_of_an_earlier_schema_are_loaded_before_the_later_migrations(
    nats_url: str, elsewhere: str, postgres_url: str, empty_database_url: str
) -> None:
    (_, earlier), backup = await new_database(postgres_url), Backup()
    async with connect_pool(earlier, name="test", max_size=1) as pool:
        await migrate(pool, through=4)
        await pool.execute(
            "INSERT INTO models (id, model, task, gated) VALUES (gen_random_uuid(), 'a/b', 'generate', false)"
        )
        async with writing(nats_url):
            manifest = await save_contents(nats_url, earlier, FILES, backup.put)
    assert manifest.schema_version == 4
    assert (await backup.restored(elsewhere, empty_database_url)).rows["models"] == 1
    async with connect_pool(empty_database_url, name="test", max_size=1) as pool:
        assert await pool.fetchval("SELECT max(version) FROM schema_migrations") == 4
        await migrate(pool)
        assert await pool.fetchval("SELECT trust_remote_code FROM models WHERE model = 'a/b'") is False


def test_a_backup_of_a_newer_version_is_refused_by_name() -> None:
    newest = found(files("migrations"))[-1].version
    manifest = contents.Manifest(contents.FORMAT, "9.9.9", f.AT.isoformat(), str(uuid4()), newest)
    for newer in (replace(manifest, format=contents.FORMAT + 1), replace(manifest, schema_version=newest + 1)):
        with pytest.raises(BackupUnreadable, match=r"made by Coldstart 9\.9\.9, which is newer"):
            check(iter([(contents.MANIFEST, contents.encoded(newer)), ("end", b"")]))
    with pytest.raises(BackupUnreadable, match="has no end"):
        check(iter([(contents.MANIFEST, contents.encoded(manifest))]))
    assert check(iter([(contents.MANIFEST, contents.encoded(manifest)), ("end", b"")])) == manifest
