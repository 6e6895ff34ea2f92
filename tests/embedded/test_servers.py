import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from coldstart.embedded import (
    AlreadyRunningError,
    EmbeddedNats,
    EmbeddedPostgres,
    ServerEndedError,
    StartFailedError,
    servers,
)
from tests.embedded.owners import KEPT, keep_something, owner, what_was_kept


async def test_data_and_urls_survive_a_restart(tmp_path: Path) -> None:
    data_dir = tmp_path / "some 'dätä' \"here\" $1"
    async with servers(data_dir, None, None) as first:
        await keep_something(first.nats_url, first.database_url)
    async with servers(data_dir, None, None) as second:
        assert (second.nats_url, second.database_url) == (first.nats_url, first.database_url)
        assert await what_was_kept(second.nats_url, second.database_url) == KEPT


async def test_given_urls_start_nothing_and_write_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with servers(folder, "nats://elsewhere:4222", "postgresql://elsewhere/db") as given:
        assert (given.nats_url, given.database_url) == ("nats://elsewhere:4222", "postgresql://elsewhere/db")
        assert given.embedded == ()
        await given.given_up()
    assert not folder.exists()


async def test_only_the_server_that_is_not_given_is_started(tmp_path: Path) -> None:
    async with servers(tmp_path, None, "postgresql://elsewhere/db") as running:
        assert running.database_url == "postgresql://elsewhere/db"
        assert [server.name for server in running.embedded] == ["nats"]
        client = await nats.connect(running.nats_url)
        await client.close()
    assert not (tmp_path / "postgres").exists()


async def test_two_copies_live_beside_each_other(tmp_path: Path) -> None:
    async with servers(tmp_path / "a", None, None) as one, servers(tmp_path / "b", None, None) as other:
        await keep_something(one.nats_url, one.database_url)
        await keep_something(other.nats_url, other.database_url)
        assert len({one.nats_url, other.nats_url, one.database_url, other.database_url}) == 4


async def test_a_second_owner_of_a_folder_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    async with owner(tmp_path) as first:
        for server in (EmbeddedNats(tmp_path), EmbeddedPostgres(tmp_path)):
            with pytest.raises(AlreadyRunningError, match=f"in use by process {first.process.pid}: stop it") as refusal:
                await server.__aenter__()
            assert refusal.value.pid == first.process.pid
        await keep_something(first.nats_url, first.database_url)


async def test_the_same_process_cannot_own_a_folder_twice_either(tmp_path: Path) -> None:
    async with EmbeddedNats(tmp_path):
        with pytest.raises(AlreadyRunningError, match=str(os.getpid())):
            await EmbeddedNats(tmp_path).__aenter__()
    async with EmbeddedNats(tmp_path):
        pass


@pytest.mark.parametrize("kind", [EmbeddedNats, EmbeddedPostgres])
async def test_a_server_that_ends_by_itself_is_reported_with_its_log(
    tmp_path: Path, kind: type[EmbeddedNats | EmbeddedPostgres]
) -> None:
    async with kind(tmp_path) as server:
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(ServerEndedError, match=f"(?s)embedded {kind.name} was killed by signal 9.*Its log is "):
            async with asyncio.timeout(120):
                await server.ended()


async def test_nobody_gets_in_without_the_password(tmp_path: Path) -> None:
    async with servers(tmp_path, None, None) as running:
        nats_place, database_place = (url.split("@")[1] for url in (running.nats_url, running.database_url))
        client = Client()
        with pytest.raises(NatsError, match=r"(?i)authorization"):
            await client.connect(f"nats://{nats_place}", allow_reconnect=False, error_cb=_quiet)
        await client.close()
        for user in ("coldstart", "postgres"):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(f"postgresql://{user}:guess@{database_place}")


async def _quiet(_: Exception) -> None: ...


async def test_the_stacks_role_is_no_superuser_but_may_make_databases(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as postgres:
        connection = await asyncpg.connect(postgres.url)
        assert await connection.fetchval("SELECT current_setting('is_superuser')") == "off"
        await connection.execute("CREATE DATABASE another")
        assert await connection.fetchval("SELECT current_setting('fsync')") == "on"
        assert await connection.fetchval("SELECT upper('é') || current_setting('TimeZone')") == "ÉUTC"
        await connection.close()


async def test_a_start_that_fails_says_what_the_server_said(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path):
        pass
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(StartFailedError, match="database files are incompatible with server") as failure:
        await EmbeddedPostgres(tmp_path).__aenter__()
    assert "ended with status 1 while starting" in str(failure.value)


async def test_a_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    half = tmp_path / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(tmp_path) as postgres:
        connection = await asyncpg.connect(postgres.url)
        await connection.close()
    assert not half.exists()
