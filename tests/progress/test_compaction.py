"""What ended long ago leaves the stream for the archive, and nothing that people see of it changes."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.progress.app import ArchiveUnset, compact_once, rebuild_once, running, verify_once
from services.progress.archive import Archive, ArchiveUnreadable
from services.progress.compaction import Compacted, CompactionRunning, PurgesDenied
from services.progress.rebuild import HistoryMissing
from services.progress.settings import ProgressSettings
from services.progress.statements import sql
from shared.bus.reader import reading, stream_state
from shared.journal.journal import Journal
from shared.journal.streams import LIFECYCLE
from shared.lifecycle.errors import InstanceConflict
from tests.embedded.owners import PROJECT
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.progress.read_model import all_rows
from tests.progress.service import Stage, patient

LATER = datetime.now(UTC) + timedelta(days=400)
FINISHED = (h.a_terminated_instance(),)


@pytest.fixture
def archived(stage: Stage, tmp_path: Path) -> ProgressSettings:
    return patient(stage.settings).model_copy(update={"archive_dir": tmp_path / "archive"})


async def projected(stage: Stage) -> None:
    """Finished instances, and one in every status."""
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write_many(*FINISHED, *h.IN_STATUS.values()))


async def kept(stage: Stage) -> dict[str, int]:
    """How many events of each instance are in the stream."""
    info = await stage.author.connection.jetstream().stream_info(LIFECYCLE, subjects_filter="lifecycle.>")
    counts: dict[str, int] = {}
    for subject, number in (info.state.subjects or {}).items():
        instance_id = subject.split(".")[1]
        counts[instance_id] = counts.get(instance_id, 0) + number
    return counts


async def released(stage: Stage) -> set[str]:
    rows = await stage.database.fetch("SELECT id FROM instances WHERE (snapshot #>> '{resources,released}')::boolean")
    return {str(row["id"]) for row in rows}


async def test_of_finished_instances_the_last_event_stays_and_rows_and_rebuild_and_verify_are_as_before(
    stage: Stage, archived: ProgressSettings
) -> None:
    await projected(stage)
    rows, before, finished = await all_rows(stage.database), await kept(stage), await released(stage)
    compacted = await compact_once(archived, LATER)
    assert await kept(stage) == {each: 1 if each in finished else number for each, number in before.items()}
    assert compacted.histories == len(finished)
    assert compacted.events == sum(before[each] - 1 for each in finished)
    assert compacted.bytes_after < compacted.bytes_before
    assert await all_rows(stage.database) == rows
    verdict = await verify_once(archived)
    assert (verdict.differences, verdict.instances) == ((), len(before))
    await stage.database.execute("TRUNCATE instances, timeline, step_durations")
    await rebuild_once(archived)
    assert await all_rows(stage.database) == rows
    assert await compact_once(archived, LATER) == Compacted(0, 0, 0, compacted.bytes_after, compacted.bytes_after)


async def test_the_build_of_a_machine_image_is_kept_whole_until_the_image_is_deleted(
    stage: Stage, archived: ProgressSettings
) -> None:
    stored = h.a_stored_image()
    deleted = f.timed(*stored, f.machine_image_retired(), f.machine_image_deleted())
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write_many(stored, deleted))
    await compact_once(archived, LATER)
    assert sorted((await kept(stage)).values()) == [1, len(stored)]


async def test_the_journal_knows_a_compacted_instance_and_gives_its_id_to_no_other(
    stage: Stage, archived: ProgressSettings
) -> None:
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write(h.a_terminated_instance()))
    (instance_id,) = map(UUID, await released(stage))
    journal = Journal(stage.author.connection, actor="test", source="/coldstart/test")
    before = await journal.load(instance_id)
    await compact_once(archived, LATER)
    assert await journal.load(instance_id) == before
    with pytest.raises(InstanceConflict):
        await journal.request(
            f.instance_requested(instance_id=instance_id, **f.asked(name="another")), intent_id=uuid4()
        )
    assert sum((await kept(stage)).values()) == 1


async def test_what_is_not_old_enough_stays(stage: Stage, archived: ProgressSettings) -> None:
    await projected(stage)
    before = await kept(stage)
    young = archived.model_copy(update={"retention_days": 36_500.0})
    assert (await compact_once(young, datetime.now(UTC))).histories == 0
    await stage.database.execute("DELETE FROM timeline WHERE version = 2")  # not projected, such as a dead letter
    assert (await compact_once(archived, LATER)).histories == 0
    assert await kept(stage) == before


async def test_projecting_goes_on_behind_compacted_events_and_so_does_an_instance(
    stage: Stage, archived: ProgressSettings
) -> None:
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write(h.a_terminated_instance()))
        await stage.watcher.reached(await stage.author.write_many(*h.IN_STATUS.values()))
    await compact_once(archived, LATER)
    async with running(archived):
        last = await stage.author.write(h.a_ready_instance())
        await stage.watcher.reached(last)
        assert await read_after(stage, 1) == await read_after(stage, 0) != []  # from a position that is purged
        assert (await read_after(stage, 0))[-1] == last
    assert (await verify_once(archived)).differences == ()


async def read_after(stage: Stage, position: int) -> list[int]:
    """The sequences that a reader gets who continues after this one."""
    sequences: list[int] = []
    async with reading(stage.author.connection, after=position, heartbeat_s=0.2) as events:
        while not events.caught_up:
            sequences += [message.metadata.sequence.stream for message in await events.batch()]
    return sequences


@pytest.mark.parametrize("step", [1, 2], ids=["archived", "the first purged"])
async def test_a_compaction_that_is_killed_loses_nothing_and_is_done_again(
    stage: Stage, archived: ProgressSettings, step: int
) -> None:
    await projected(stage)
    rows, finished = await all_rows(stage.database), await released(stage)
    await killed_after(step, archived)
    assert (await verify_once(archived)).differences == ()
    await stage.database.execute("TRUNCATE instances, timeline, step_durations")
    await rebuild_once(archived)
    assert await all_rows(stage.database) == rows
    await compact_once(archived, LATER)
    counts = await kept(stage)
    assert {counts[each] for each in finished} == {1}
    assert (await verify_once(archived)).differences == ()


async def killed_after(step: int, settings: ProgressSettings) -> None:
    assert settings.archive_dir is not None
    variables = {
        "COLDSTART_NATS_URL": settings.nats_url.get_secret_value(),
        "COLDSTART_DATABASE_URL": settings.database_url.get_secret_value(),
        "COLDSTART_ARCHIVE_DIR": str(settings.archive_dir),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.progress.compacted", str(step)), cwd=PROJECT, env={**os.environ, **variables}
    )
    async with asyncio.timeout(120):
        assert await process.wait() == -signal.SIGKILL


async def test_without_the_archive_verify_says_so_and_rebuild_refuses(
    stage: Stage, archived: ProgressSettings, tmp_path: Path
) -> None:
    await projected(stage)
    rows, finished = await all_rows(stage.database), await released(stage)
    await compact_once(archived, LATER)
    elsewhere = archived.model_copy(update={"archive_dir": tmp_path / "elsewhere"})
    differences = (await verify_once(elsewhere)).differences
    assert sum("the archive (COLDSTART_ARCHIVE_DIR) does not have it" in each for each in differences) == len(finished)
    with pytest.raises(HistoryMissing, match=rf"timelines of {len(finished)} instances and deployments would be lost"):
        await rebuild_once(elsewhere)
    assert await all_rows(stage.database) == rows
    with pytest.raises(ArchiveUnset):
        await compact_once(stage.settings, LATER)


async def test_a_damaged_archive_is_named(stage: Stage, archived: ProgressSettings) -> None:
    await projected(stage)
    await compact_once(archived, LATER)
    installation = (await stream_state(stage.author.connection)).installation
    (file,) = Archive(archived.archive_dir or Path(), installation).files
    file.write_bytes(file.read_bytes()[:-10])
    for command in (verify_once(archived), rebuild_once(archived)):
        with pytest.raises(ArchiveUnreadable, match=file.name):
            await command


async def test_a_stream_that_denies_purges_is_left_as_it_is(stage: Stage, archived: ProgressSettings) -> None:
    await projected(stage)
    jetstream = stage.author.connection.jetstream()
    info = await jetstream.stream_info(LIFECYCLE)
    await jetstream.update_stream(info.config.evolve(deny_purge=True))
    with pytest.raises(PurgesDenied, match="made by an earlier version"):
        await compact_once(archived, LATER)
    assert not archived.archive_dir or not archived.archive_dir.exists()


async def test_one_compaction_runs_at_a_time(stage: Stage, archived: ProgressSettings) -> None:
    await projected(stage)
    assert await stage.database.fetchval(sql("try_to_compact"))
    with pytest.raises(CompactionRunning):
        await compact_once(archived, LATER)
