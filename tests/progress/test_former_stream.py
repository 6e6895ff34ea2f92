"""A stream and tables of a former version go on being verified, rebuilt and read."""

import json
from typing import Any
from uuid import UUID

import pytest

from services.progress.app import rebuild_once, running, verify_once
from services.progress.verify import Verdict
from shared.journal.envelope import encode
from shared.journal.journal import Journal
from shared.journal.recorded import Origin
from shared.journal.streams import append_subject
from shared.lifecycle.decide import terminate
from shared.lifecycle.events import event_id
from shared.lifecycle.fold import evolve
from shared.lifecycle.wish import Findings
from tests.journal import former
from tests.lifecycle import facts as f
from tests.progress.read_model import all_rows
from tests.progress.service import Stage


@pytest.fixture
async def taken_over(stage: Stage) -> Stage:
    """A stream as the former version left it, projected by this one."""
    jetstream = stage.author.connection.jetstream()
    for line in former.stream():
        body = line["body"]
        subject = append_subject(UUID(body["subject"]), body["type"])
        await jetstream.publish(subject, json.dumps(body).encode(), headers=line["headers"])
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.last_sequence())
    return stage


async def verdict(stage: Stage) -> Verdict:
    return await verify_once(stage.settings)


async def put_back(stage: Stage) -> None:
    """The rows as the former version wrote them."""
    for row in former.rows("instances"):
        await stage.database.execute("UPDATE instances SET snapshot = $2 WHERE id = $1", row["id"], row["snapshot"])
    for row in former.rows("timeline"):
        await stage.database.execute(
            "UPDATE timeline SET data = $3 WHERE instance_id = $1 AND version = $2",
            row["instance_id"],
            row["version"],
            row["data"],
        )


async def test_a_former_stream_verifies(taken_over: Stage) -> None:
    assert await verdict(taken_over) == Verdict(len(former.stream()), 7, behind=0, unreadable=(), differences=())


async def test_rows_that_a_former_version_wrote_are_no_difference(taken_over: Stage) -> None:
    await put_back(taken_over)
    assert (await verdict(taken_over)).differences == ()


async def test_a_rebuild_of_a_former_stream_gives_what_was_projected(taken_over: Stage) -> None:
    projected = await all_rows(taken_over.database)
    await put_back(taken_over)
    await rebuild_once(taken_over.settings)
    assert await all_rows(taken_over.database) == projected
    assert (await verdict(taken_over)).differences == ()


async def test_a_former_instance_goes_on(taken_over: Stage) -> None:
    serving = next(row["id"] for row in former.rows("instances") if row["name"] == "serving")
    journal = Journal(taken_over.author.connection, actor="test", source="/coldstart/test")
    instance_id = UUID(serving)
    await journal.record(f.health_lost(instance_id=instance_id))
    await journal.intend(instance_id, terminate, intent_id=UUID(int=7), at=f.AT)
    async with running(taken_over.settings):
        await taken_over.watcher.reached(await taken_over.author.last_sequence())
    assert (await verdict(taken_over)).differences == ()
    assert await status(taken_over, instance_id) == "terminating"


async def test_an_instance_that_two_versions_write_verifies(stage: Stage) -> None:
    requested = f.instance_requested(**f.asked(gpu_memory_gb=24.5, warnings=("it may not start",)))
    await stage.author.record(requested)
    created = f.instance_created()
    after = evolve(f.given(requested), created)
    body = json.loads(encode(event_id(created), created, after, Origin("former"), "/coldstart/test"))
    subject = append_subject(requested.instance_id, created.type())
    await stage.author.publish(subject, json.dumps(former.of_version_1(body)).encode())
    assert (await stage.author.record(f.volume_found())).findings == Findings(gpu_memory_gb=24.5)
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.last_sequence())
    assert (await verdict(stage)).differences == ()


async def status(stage: Stage, instance_id: UUID) -> Any:
    return await stage.database.fetchval("SELECT status FROM instances WHERE id = $1", instance_id)
