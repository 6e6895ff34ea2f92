"""Instances by either client, against an api that really runs."""

from datetime import UTC, datetime

import pytest

from coldstart_client import InvalidRequest
from coldstart_client.answers import LaunchOutcome, Source, Status, StatusGroup
from shared.install_output import InstallOutput, InstallOutputs, OutputLine
from tests.api.stage import ADMIN_KEY, MODEL, Stage
from tests.client.conftest import MakeClient
from tests.coldstart.fake_api import FakeApi, page
from tests.coldstart.told import an_id, an_instance
from tests.lifecycle import histories as h

AT = datetime(2026, 1, 1, tzinfo=UTC)


async def test_an_instance_that_was_asked_for_is_shown_listed_and_ended(stage: Stage, client_of: MakeClient) -> None:
    await stage.projector()
    api = await stage.api()
    async with client_of(api.url, ADMIN_KEY) as client:
        made = await client.instances.create(model=MODEL, instance_types=["L4-1-24G"], name="chat", max_lifetime=3600)
        assert (made.name, made.model, made.status, made.warnings) == ("chat", MODEL, Status.PROVISIONING, [])
        assert (await client.instances.get(made.id)).version == made.version
        await api.projected(await stage.journal.load(made.id))
        assert [one.id async for one in client.instances.list(status=Status.PROVISIONING)] == [made.id]
        assert [one.id async for one in client.instances.list(status=["ready", "failed"])] == []
        ended = await client.instances.terminate(made.id)
        assert (ended.status, ended.group) == (Status.TERMINATING, StatusGroup.ENDING)


async def test_a_repetition_with_the_same_idempotency_key_is_the_same_instance(
    stage: Stage, client_of: MakeClient
) -> None:
    api = await stage.api()
    async with client_of(api.url, ADMIN_KEY) as client:
        first = await client.instances.create(model=MODEL, idempotency_key="a-key")
        assert (await client.instances.create(model=MODEL, idempotency_key="a-key")).id == first.id
        assert (await client.instances.create(model=MODEL)).id != first.id
        with pytest.raises(InvalidRequest) as refused:
            await client.instances.create(model=MODEL, name="other", idempotency_key="a-key")
        assert refused.value.code == "idempotency_conflict"


async def test_a_list_is_read_by_pages(stage: Stage, client_of: MakeClient) -> None:
    await stage.projector()
    api = await stage.api()
    launched = [await stage.happened(*h.a_launch()) for _ in range(3)]
    for one in launched:
        await api.projected(one)
    async with client_of(api.url, ADMIN_KEY) as client:
        first = await client.instances.page(limit=2)
        rest = await client.instances.page(limit=2, cursor=first.next_cursor)
        assert (len(first.items), len(rest.items), rest.next_cursor) == (2, 1, None)
        assert {one.id for one in (*first.items, *rest.items)} == {one.id for one in launched}


async def test_a_whole_list_is_read_page_by_page(api: FakeApi, client_of: MakeClient) -> None:
    rows = [an_instance(id=an_id(number)) for number in (1, 2, 3)]
    api.says("GET", "/instances", page(*rows[:2], then="c"), page(rows[2]))
    async with client_of(api.url, "a-key") as client:
        assert [str(one.id) async for one in client.instances.list(model="m")] == [row["id"] for row in rows]
    assert [asked.path for asked in api.asked] == ["/instances?model=m", "/instances?model=m&cursor=c"]


async def test_what_a_launch_did_is_told_as_a_timeline_a_critical_path_and_lines(
    stage: Stage, client_of: MakeClient
) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5.0)
    history = h.a_ready_instance()
    instance = await stage.happened(*history)
    lines = tuple(OutputLine(number=number, at=AT, text=f"line {number}") for number in (1, 2, 3))
    output = InstallOutput(attempt=1, install_try=1, lines=lines, updated_at=AT)
    await InstallOutputs(stage.connection.jetstream(), replicas=1).publish(instance.id, output)
    async with client_of(api.url, ADMIN_KEY) as client:
        rows = [row async for row in client.instances.timeline(instance.id)]
        assert [row.type for row in rows] == [fact.type() for fact in history]
        path = await client.instances.critical_path(instance.id)
        assert (path.attempt, path.outcome) == (1, LaunchOutcome.READY)
        assert {interval.critical for interval in path.intervals} == {True}
        log = await client.instances.logs(instance.id, source=Source.INSTALL, tail=2)
        assert [line.text for line in log.items] == ["line 2", "line 3"]
        assert (await client.instances.usual_steps(instance.id)).items


async def test_what_can_be_asked_of_an_instance_is_asked(stage: Stage, client_of: MakeClient) -> None:
    api = await stage.api()
    failed = await stage.happened(*h.a_failed_launch(model=MODEL))
    ready = await stage.happened(*h.a_ready_instance())
    async with client_of(api.url, ADMIN_KEY) as client:
        again = await client.instances.relaunch(failed.id)
        assert (again.id != failed.id, again.status) == (True, Status.PROVISIONING)
        assert (await client.instances.reinstall(ready.id)).status is Status.INSTALLING
        other = await stage.happened(*h.a_ready_instance())
        assert (await client.instances.drain(other.id)).status is Status.DRAINING
        gone = await stage.happened(*h.a_terminated_instance())
        assert (await client.instances.archive(gone.id)).status is Status.ARCHIVED
