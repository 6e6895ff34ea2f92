"""Instances by either client, against an api that really runs."""

from uuid import UUID

import pytest

from coldstart_client import InvalidRequest, NotFound
from coldstart_client.answers import Status
from tests.api.stage import ADMIN_KEY, MODEL, Stage
from tests.client.conftest import MakeClient
from tests.lifecycle import histories as h

NOBODY = UUID(int=7)


async def test_an_instance_that_was_asked_for_is_shown_and_listed(stage: Stage, client_of: MakeClient) -> None:
    await stage.projector()
    api = await stage.api()
    async with client_of(api.url, ADMIN_KEY) as client:
        made = await client.instances.create(model=MODEL, instance_types=["L4-1-24G"], name="chat", max_lifetime=3600)
        assert (made.name, made.model, made.status, made.warnings) == ("chat", MODEL, Status.PROVISIONING, [])
        assert (await client.instances.get(made.id)).version == made.version
        await api.projected(await stage.journal.load(made.id))
        assert [one.id async for one in client.instances.list(status=Status.PROVISIONING)] == [made.id]
        assert [one.id async for one in client.instances.list(status=["ready", "failed"])] == []


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


async def test_an_unknown_instance_and_a_wrong_field_are_errors_of_their_types(
    stage: Stage, client_of: MakeClient
) -> None:
    api = await stage.api()
    async with client_of(api.url, ADMIN_KEY) as client:
        with pytest.raises(NotFound) as unknown:
            await client.instances.get(NOBODY)
        assert (unknown.value.status, unknown.value.code) == (404, "instance_not_found")
        assert unknown.value.message == "There is no such instance"
        assert unknown.value.hint == f"No instance {NOBODY}; GET /instances lists those that exist."
        with pytest.raises(InvalidRequest) as wrong:
            await client.instances.create(model=MODEL, volume_gb=3)
        assert [field.pointer for field in wrong.value.wrong_fields] == ["/volume_gb"]
        assert (wrong.value.status, wrong.value.code) == (422, "invalid_request")
