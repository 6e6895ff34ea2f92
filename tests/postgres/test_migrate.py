import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import pytest

from shared.postgres.connection import Pool, connect_pool
from shared.postgres.migrate import MigrationRefused, found, migrate


@pytest.fixture
async def pool(empty_database_url: str) -> AsyncGenerator[Pool]:
    async with connect_pool(empty_database_url, name="test") as pool:
        yield pool


def write(folder: Path, **scripts: str) -> Path:
    for name, script in scripts.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(script)
    return folder


async def applied(pool: Pool) -> list[int]:
    return [row["version"] for row in await pool.fetch("SELECT version FROM schema_migrations ORDER BY version")]


async def test_five_services_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    async def start() -> None:
        async with connect_pool(empty_database_url, name="test") as pool:
            await migrate(pool)

    await asyncio.gather(*(start() for _ in range(5)))
    async with connect_pool(empty_database_url, name="test") as pool:
        assert (await applied(pool))[0] == 1
        assert await pool.fetchval("SELECT count(*) FROM instances") == 0


async def test_what_is_new_is_applied_in_order(pool: Pool, tmp_path: Path) -> None:
    await migrate(pool, write(tmp_path, m0001_a="CREATE TABLE a (n integer);"))
    await migrate(pool, write(tmp_path, m0002_b="INSERT INTO a VALUES (2);", m0010_c="UPDATE a SET n = n * 10;"))
    assert await applied(pool) == [1, 2, 10]
    assert await pool.fetchval("SELECT n FROM a") == 20


async def test_a_migration_that_fails_leaves_nothing_behind_and_can_be_mended(pool: Pool, tmp_path: Path) -> None:
    write(tmp_path, m0001_a="CREATE TABLE a (n integer);", m0002_b="CREATE TABLE b (n integer); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(pool, tmp_path)
    assert await applied(pool) == [1]
    await migrate(pool, write(tmp_path, m0002_b="CREATE TABLE b (n integer);"))
    assert await applied(pool) == [1, 2]


async def test_a_file_that_changed_after_it_was_applied_is_refused(pool: Pool, tmp_path: Path) -> None:
    await migrate(pool, write(tmp_path, m0001_a="CREATE TABLE a (n integer);"))
    write(tmp_path, m0001_a="CREATE TABLE a (n bigint);", m0002_b="CREATE TABLE b (n integer);")
    with pytest.raises(MigrationRefused, match="0001_a"):
        await migrate(pool, tmp_path)
    assert await applied(pool) == [1]


async def test_an_applied_file_that_is_gone_is_refused(pool: Pool, tmp_path: Path) -> None:
    await migrate(pool, write(tmp_path, m0001_a="SELECT 1;", m0002_b="SELECT 1;"))
    (tmp_path / "0001_a.sql").unlink()
    with pytest.raises(MigrationRefused, match="0001"):
        await migrate(pool, tmp_path)


async def test_an_older_service_starts_beside_a_newer_one(pool: Pool, tmp_path: Path) -> None:
    await migrate(pool, write(tmp_path, m0001_a="SELECT 1;", m0002_b="SELECT 1;"))
    (tmp_path / "0002_b.sql").unlink()
    await migrate(pool, tmp_path)
    assert await applied(pool) == [1, 2]


def test_two_files_of_the_same_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationRefused, match="same version"):
        found(write(tmp_path, m0001_a="SELECT 1;", m0001_b="SELECT 1;"))


def test_a_file_that_is_not_numbered_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationRefused, match="not named"):
        found(write(tmp_path, mlater="SELECT 1;"))


async def test_a_pool_speaks_json(pool: Pool) -> None:
    value = {"nested": [1, "two", None]}
    assert await pool.fetchval("SELECT $1::jsonb", value) == value
