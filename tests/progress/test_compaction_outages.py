"""A compaction during which NATS is killed, or a purge stops half-way: nothing is lost, and nothing is there twice."""

import os
import signal
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.errors import Error as NatsError

from coldstart.embedded.nats import EmbeddedNats
from services.progress import compaction
from services.progress.app import compact_once, rebuild_once, running, verify_once
from services.progress.archive import Archive
from services.progress.compaction import compact
from services.progress.settings import ProgressSettings
from shared.bus.connection import connected_once
from shared.bus.reader import stream_state
from shared.journal.streams import LIFECYCLE, events_of
from tests.lifecycle import histories as h
from tests.progress.read_model import all_rows, watching
from tests.progress.service import Stage, patient, settings_for, writing

LATER = datetime.now(UTC) + timedelta(days=400)
ENDED = 3


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[EmbeddedNats]:
    """A server of the test's own, which may be killed."""
    async with EmbeddedNats(tmp_path / "data") as server:
        yield server


@pytest.fixture
async def stage(server: EmbeddedNats, database_url: str) -> AsyncGenerator[Stage]:
    async with writing(server.url) as author, watching(database_url) as (watcher, database):
        yield Stage(author, settings_for(server.url, database_url), watcher, database)


@pytest.fixture
async def settings(stage: Stage, tmp_path: Path) -> ProgressSettings:
    """Of a projector that has seen a few instances end."""
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write_many(*[h.a_terminated_instance()] * ENDED))
    return patient(stage.settings).model_copy(update={"archive_dir": tmp_path / "archive"})


async def compacting(settings: ProgressSettings, done: Callable[[str], None]) -> None:
    async with connected_once(settings.nats_url.get_secret_value()) as connection:
        archive = Archive(settings.archive_dir or Path(), (await stream_state(connection)).installation)
        url = settings.database_url.get_secret_value()
        await compact(connection, url, archive, before=LATER, now=LATER, done=done)


async def holds_together(stage: Stage, settings: ProgressSettings, rows: object) -> None:
    verdict = await verify_once(settings)
    assert (verdict.differences, verdict.instances) == ((), ENDED)
    await stage.database.execute("TRUNCATE instances, timeline, step_durations")
    await rebuild_once(settings)
    assert await all_rows(stage.database) == rows


@pytest.mark.parametrize("fatal", ["archived", "purged"])
async def test_nats_that_is_killed_between_archive_and_purge_or_between_two_purges_costs_nothing(
    server: EmbeddedNats, stage: Stage, settings: ProgressSettings, fatal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_ANSWER_TIMEOUT_S", 5.0)  # for an answer that never comes
    rows = await all_rows(stage.database)

    def kill(step: str) -> None:
        if step == fatal:
            os.kill(server._process.pid, signal.SIGKILL)

    with pytest.raises((NatsError, OSError)):
        await compacting(settings, kill)
    await server.start_again()
    await holds_together(stage, settings, rows)
    await compact_once(settings, LATER)
    await holds_together(stage, settings, rows)
    async with connected_once(server.url) as connection:
        assert (await connection.jetstream().stream_info(LIFECYCLE)).state.messages == ENDED


async def test_a_purge_that_stopped_half_way_costs_nothing(stage: Stage, settings: ProgressSettings) -> None:
    rows, jetstream = await all_rows(stage.database), stage.author.connection.jetstream()
    instance_id = await stage.database.fetchval("SELECT id FROM instances LIMIT 1")
    middle = await stage.database.fetchval(
        "SELECT sequence FROM timeline WHERE instance_id = $1 AND version = 9", instance_id
    )

    def stop(step: str) -> None:
        if step == "archived":
            raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        await compacting(settings, stop)
    await jetstream.purge_stream(LIFECYCLE, seq=middle, subject=events_of(instance_id))
    await holds_together(stage, settings, rows)
    await compact_once(settings, LATER)
    await holds_together(stage, settings, rows)
