import asyncio

import asyncpg
import pytest

from services.api.access.api_keys import hashed
from services.api.app import running
from tests.api.stage import ADMIN_KEY, PATIENCE_S, Stage, until
from tests.lifecycle import facts


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(stage: Stage) -> None:
    api = await stage.api()
    made = (await api.client.post("/api-keys", json={"name": "ci", "role": "user"})).json()
    assert made["key"].startswith(made["prefix"])
    assert len(made["key"]) > 40
    listed = (await api.client.get("/api-keys")).json()["items"]
    assert listed == [{name: value for name, value in made.items() if name != "key"}]
    connection = await asyncpg.connect(stage.database_url)
    try:
        (row,) = await connection.fetch("SELECT * FROM api_keys")
    finally:
        await connection.close()
    assert row["key_hash"] == hashed(made["key"])
    assert made["key"] not in str(dict(row))


async def test_every_api_is_told_of_a_revoked_key_and_refuses_it_before_any_refresh(stage: Stage) -> None:
    api, other = await stage.api(), await stage.api(refresh_seconds=3600)
    key = await api.user_key()
    async with api.as_(key) as here, other.as_(key) as there:

        async def valid() -> bool:
            return (await there.get("/v1/models")).status_code == 200

        await until(valid)
        key_id = (await api.client.get("/api-keys")).json()["items"][0]["id"]
        assert (await api.client.delete(f"/api-keys/{key_id}")).status_code == 204
        assert (await here.get("/v1/models")).status_code == 401

        async def refused() -> bool:
            return (await there.get("/v1/models")).status_code == 401

        await until(refused)
        assert (await there.get("/models")).status_code == 401


async def test_events_end_for_a_client_whose_key_is_revoked(stage: Stage) -> None:
    api = await stage.api()
    made = (await api.client.post("/api-keys", json={"name": "second", "role": "admin"})).json()
    async with api.as_(made["key"]) as other, asyncio.timeout(PATIENCE_S), other.stream("GET", "/events") as stream:
        received = stream.aiter_raw()
        assert (await anext(received)).startswith(b": connected\n")
        await api.client.delete(f"/api-keys/{made['id']}")
        await stage.happened(facts.instance_requested())
        assert [chunk async for chunk in received] == []


async def test_a_key_made_here_is_valid_there_after_the_listening_connection_was_lost(stage: Stage) -> None:
    api, other = await stage.api(), await stage.api(refresh_seconds=3600)
    connection = await asyncpg.connect(stage.database_url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'api-access' AND datname = current_database()"
        )
    finally:
        await connection.close()
    async with other.as_(await api.user_key()) as there:

        async def valid() -> bool:
            return (await there.get("/v1/models")).status_code == 200

        await until(valid)


async def test_the_first_start_prints_an_admin_s_key_and_the_second_does_not(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(stage.settings(admin_key=None)) as api:
        key = api.first_admin_key
    assert key is not None
    assert key in capsys.readouterr().out
    again = await stage.api(admin_key=None)
    assert again.first_admin_key is None
    assert key not in capsys.readouterr().out
    async with again.as_(key) as admin:
        assert (await admin.get("/api-keys")).status_code == 200
    assert (await again.client.get("/api-keys")).status_code == 401, "that key is of the settings of other tests"


async def test_several_first_starts_at_once_make_one_admin_s_key(stage: Stage) -> None:
    apis = await asyncio.gather(*(stage.api(admin_key=None) for _ in range(3)))
    assert len([api for api in apis if api.first_admin_key]) == 1


async def test_the_last_admin_s_key_cannot_be_removed_unless_the_settings_hold_another(stage: Stage) -> None:
    api = await stage.api(admin_key=None)
    assert api.first_admin_key
    async with api.as_(api.first_admin_key) as admin:
        key_id = (await admin.get("/api-keys")).json()["items"][0]["id"]
        refused = await admin.delete(f"/api-keys/{key_id}")
        assert (refused.status_code, refused.json()["code"]) == (409, "last_admin_key")
    other = await stage.api()
    async with other.as_(ADMIN_KEY) as configured:
        assert (await configured.delete(f"/api-keys/{key_id}")).status_code == 204
