"""Events of another version in the read model: kept whole as far as they are known, and never passed over."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from services.progress.app import running, verify_once
from services.progress.archive import Archive, ArchivedEvent
from services.progress.projection import checkpoint
from shared.bus.topology import DEAD_LETTERS
from shared.journal import envelope
from shared.journal.envelope import SCHEMA_VERSION, encode
from shared.journal.recorded import Origin
from shared.journal.streams import LIFECYCLE, append_subject
from tests.journal.another_version import Body, named, of_schema, with_field, written
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.progress.service import Stage


async def written_by_another(stage: Stage, *changes: object) -> int:
    """A ready instance that the author records, and its next event as another version records it."""
    instance_id = uuid4()
    history = tuple(fact.model_copy(update={"instance_id": instance_id}) for fact in h.a_ready_instance())
    for fact in history:
        await stage.author.record(fact)
    lost = f.health_lost(instance_id=instance_id)
    data = encode(uuid4(), lost, f.given(*history, lost), Origin("health"), "/coldstart/test")
    data = written(data, *changes)  # type: ignore[arg-type]
    return await stage.author.publish(append_subject(instance_id, json.loads(data)["type"]), data)


@pytest.mark.parametrize("changes", [(), (named("SomethingNovel"),)])
async def test_rows_have_what_this_version_does_not_know_and_verify(stage: Stage, changes: tuple[object, ...]) -> None:
    novel = (with_field("event", "novel"), with_field("instance", "novel"), with_field("instance", "install", "novel"))
    last = await written_by_another(stage, *novel, *changes)
    async with running(stage.settings):
        await stage.watcher.reached(last)
    row = await stage.database.fetchrow("SELECT type, data FROM timeline WHERE sequence = $1", last)
    assert row is not None
    assert row["data"]["novel"] == "new"
    assert row["type"] == ("SomethingNovel" if changes else "HealthLost")
    snapshot = await stage.database.fetchval("SELECT snapshot FROM instances WHERE sequence = $1", last)
    assert (snapshot["novel"], snapshot["install"]["novel"]) == ("new", "new")
    verdict = await verify_once(stage.settings)
    assert (verdict.differences, verdict.unreadable, verdict.behind) == ((), (), 0)


async def test_an_archive_of_another_version_is_read_as_the_stream_is(stage: Stage, tmp_path: Path) -> None:
    """A version that went back by one reads what the newer one has archived."""
    last = await written_by_another(stage, with_field("event", "novel"), named("SomethingNovel"))
    data = (await stage.author.connection.jetstream().get_msg(LIFECYCLE, seq=last)).data or b""
    archive = Archive(tmp_path, uuid4())
    archive.add([ArchivedEvent(last, f.AT, data)], f.AT)
    (event,) = archive.events()
    assert (event.type, event.sequence, event.content()["novel"]) == ("SomethingNovel", last, "new")


async def test_the_projector_stops_before_what_only_a_newer_version_reads_until_that_version_runs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = await written_by_another(stage, of_schema(SCHEMA_VERSION + 1))
    later = await stage.author.write(h.a_launch())
    with capture_logs() as logged:
        async with running(stage.settings) as projector:
            await stage.watcher.reached(newer - 1)
            failures = projector.failures
            async with asyncio.timeout(120):
                while projector.failures < failures + 2:  # noqa: ASYNC110  it tries again and again
                    await asyncio.sleep(0.01)
            reached = await checkpoint(stage.database)
            assert reached is not None
            assert reached.sequence == newer - 1
            info = await stage.author.connection.jetstream().stream_info(DEAD_LETTERS)
            assert info.state.messages == 0
    assert any("stops before an event of a newer version" in entry["event"] for entry in logged)

    def as_it_is(body: Body) -> Body:
        return body

    monkeypatch.setitem(envelope.UPCASTS, SCHEMA_VERSION, as_it_is)
    monkeypatch.setattr(envelope, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    async with running(stage.settings):
        await stage.watcher.reached(later)
    assert await stage.database.fetchval("SELECT count(*) FROM timeline") == later
