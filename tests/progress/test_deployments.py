"""Deployments beside instances: their own tables, and not a row of an instance is another for them."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from services.progress.app import compact_once, rebuild_once, running, verify_once
from services.progress.rows import Rows
from services.progress.verify import Facts as Verified
from shared.deployments.deployment import DeploymentStatus
from shared.deployments.events import deployment_id
from shared.journal.deployments import DeploymentJournal
from shared.journal.envelope import decode_any, encode
from shared.journal.recorded import AnyRecorded, Origin, Recorded, RecordedDeployment
from tests.deployments import arbitrary
from tests.deployments import facts as d
from tests.deployments.arbitrary import Asked, asked
from tests.deployments.facts import AT, ID, a_wish
from tests.deployments.recording import happened
from tests.lifecycle import histories as h
from tests.lifecycle.arbitrary import histories, law
from tests.progress.read_model import all_rows, recorded
from tests.progress.service import Stage, patient
from tests.progress.test_compaction import LATER, kept

ANOTHER: Final = a_wish().model_copy(update={"name": "another", "organization_id": uuid4()})
A_LIFE: Final = (
    d.deployment_created(),
    d.deployment_scaled(),
    d.replica_added(),
    d.replica_refused(message="un\0readable"),
    d.deployment_changed(),
    d.rollout_started(),
    d.rollout_halted(),
    d.deployment_degraded(),
)
THE_END: Final = (d.deployment_deleted(), d.replica_removed(), d.replica_ended())


def as_recorded(asks: Sequence[Asked]) -> list[AnyRecorded]:
    steps = enumerate(arbitrary.recorded(asks), start=1)
    return [RecordedDeployment(uuid4(), step.event, step.after, Origin("test"), n, AT) for n, step in steps]


def as_stored(events: Sequence[AnyRecorded]) -> list[AnyRecorded]:
    """As they are read back, each at its place in one stream."""
    known = [each for each in events if isinstance(each, Recorded | RecordedDeployment)]
    bodies = [encode(each.id, each.event, each.after, each.origin, "/test") for each in known]
    return [decode_any(body, number, AT + timedelta(seconds=number)) for number, body in enumerate(bodies, start=1)]


@st.composite
def interleaved(draw: st.DrawFn) -> list[AnyRecorded]:
    """Histories of an instance and of a deployment in one stream, each in its order."""
    streams = [list[AnyRecorded](recorded(draw(histories()))), as_recorded(draw(asked()))]
    both: list[AnyRecorded] = []
    while left := [stream for stream in streams if stream]:
        both.append(draw(st.sampled_from(left)).pop(0))
    return as_stored(both)


@law
@for_any(interleaved())
def test_deployments_in_the_stream_change_no_view_of_an_instance(events: list[AnyRecorded]) -> None:
    alone = [each for each in events if isinstance(each, Recorded)]
    both = Rows(events)
    assert (both.instances(), both.timeline) == (Rows(alone).instances(), Rows(alone).timeline)
    assert len(both.deployment_timeline) == len(events) - len(alone)
    verified = Verified(len(events))
    for each in events:
        verified.compare(each)
    assert (verified.differences, verified.instances) == ([], 1)


async def test_a_deployment_is_projected_and_every_row_can_be_made_again(stage: Stage) -> None:
    journal = DeploymentJournal(stage.author.connection, actor="test", source="/test")
    async with running(stage.settings):
        await stage.author.write(h.a_ready_instance())
        deployment = await happened(journal, *A_LIFE)
        await happened(journal, d.deployment_created(wish=ANOTHER))
        await stage.watcher.reached(await stage.author.write_many(*h.IN_STATUS.values()))
    (row,) = await stage.database.fetch("SELECT * FROM deployments WHERE id = $1", ID)
    assert (row["name"], row["model"], row["status"]) == ("chat", "org/model", "active")
    assert (row["version"], row["wanted"], row["revision"]) == (len(A_LIFE), 1, 2)
    rows = await all_rows(stage.database)
    assert [each["type"] for each in rows["deployment_timeline"] if each["deployment_id"] == ID] == [
        fact.type() for fact in A_LIFE
    ]
    assert {each["organization_id"] for each in rows["deployments"]} == {None, ANOTHER.organization_id}
    assert (await verify_once(stage.settings)).differences == ()
    await stage.database.execute("UPDATE deployments SET wanted = 7 WHERE wanted = 1")
    await stage.database.execute("DELETE FROM deployment_timeline WHERE version = 2")
    assert (await verify_once(stage.settings)).differences == (
        f"deployments of {ID}: wanted is 7, the facts give 1",
        f"deployment_timeline of {ID}: missing",
    )
    await rebuild_once(stage.settings)
    assert await all_rows(stage.database) == rows
    assert deployment.version == row["version"]


async def test_of_a_deleted_deployment_the_last_event_stays_and_it_can_be_created_again(
    stage: Stage, tmp_path: Path
) -> None:
    archived = patient(stage.settings).model_copy(update={"archive_dir": tmp_path / "archive"})
    journal = DeploymentJournal(stage.author.connection, actor="test", source="/test")
    another = deployment_id(ANOTHER.name, ANOTHER.organization_id)
    async with running(stage.settings):
        await happened(journal, *A_LIFE, *THE_END)
        await happened(journal, d.deployment_created(wish=ANOTHER), d.deployment_deleted(deployment_id=another))
        living = await happened(journal, d.deployment_created(wish=a_wish(name="lives")))
        ending = d.deployment_created(wish=a_wish(name="ending"))
        its = {"deployment_id": ending.deployment_id}
        await happened(journal, ending, d.replica_added(**its), d.deployment_deleted(**its))
        await stage.watcher.reached(await stage.author.last_sequence())
    rows = await all_rows(stage.database)
    compacted = await compact_once(archived, LATER)
    assert (compacted.histories, compacted.events) == (2, len(A_LIFE) + len(THE_END) - 1 + 1)
    assert await kept(stage) == {str(ID): 1, str(another): 1, str(living.id): 1, str(ending.deployment_id): 3}
    assert (await verify_once(archived)).differences == ()
    await rebuild_once(archived)
    assert await all_rows(stage.database) == rows
    again = await happened(journal, d.deployment_created(revision=3))
    assert (again.version, again.status) == (len(A_LIFE) + len(THE_END) + 1, DeploymentStatus.ACTIVE)
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.last_sequence())
    assert (await verify_once(archived)).differences == ()
    assert (await compact_once(archived, LATER)).histories == 0


@pytest.mark.parametrize(("column", "value"), [("status", "'sleeping'"), ("wanted", "-1"), ("revision", "0")])
async def test_the_tables_refuse_what_a_deployment_cannot_be(stage: Stage, column: str, value: str) -> None:
    journal = DeploymentJournal(stage.author.connection, actor="test", source="/test")
    async with running(stage.settings):
        await happened(journal, d.deployment_created())
        await stage.watcher.reached(await stage.author.last_sequence())
    for table in ("deployments", "deployment_timeline"):
        with pytest.raises(asyncpg.CheckViolationError):
            await stage.database.execute(f"UPDATE {table} SET {column} = {value}")  # noqa: S608
