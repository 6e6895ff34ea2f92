"""Brings the schema up to date: the first service to start does it, the others wait for it."""

import re
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import structlog

from shared.postgres.connection import Pool
from shared.postgres.statements import statement

_PATIENCE_S: Final = 3600.0
"""Limit for one migration, and for waiting on another service's migration."""
_NAME: Final = re.compile(r"(?P<version>\d{4})_\w+\.sql")

log = structlog.get_logger()


class MigrationRefused(Exception):
    """The files contradict the applied migrations; nothing was changed."""


@dataclass(frozen=True)
class Migration:
    version: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        return sha256(self.script.encode()).hexdigest()


async def migrate(pool: Pool, folder: Traversable | None = None, *, through: int | None = None) -> None:
    """Apply the pending migrations in `folder` (default: the project's own), each in its own transaction.

    `through`: the last version to apply; the later ones stay pending.
    Safe for any number of processes at once. Versions that only a newer release knows are ignored, so that an older
    service can start beside it. Raises MigrationRefused.
    """
    migrations = found(folder or files("migrations"))
    async with pool.acquire() as connection:
        await connection.execute(_sql("lock_migrations"), timeout=_PATIENCE_S)
        try:
            await connection.execute(_sql("create_schema_migrations"))
            applied = {row["version"]: row["checksum"] for row in await connection.fetch(_sql("applied_migrations"))}
            _compare(migrations, applied)
            for migration in migrations:
                if migration.version not in applied and (through is None or migration.version <= through):
                    async with connection.transaction():
                        await connection.execute(migration.script, timeout=_PATIENCE_S)
                        await connection.execute(
                            _sql("note_migration"), migration.version, migration.name, migration.checksum
                        )
                    log.info("migrated", migration=migration.name)
        finally:
            if not connection.is_closed():
                await connection.execute(_sql("unlock_migrations"))


def found(folder: Traversable) -> list[Migration]:
    """The migrations in a folder, in order. Raises MigrationRefused for an invalid name or a duplicate version."""
    migrations: dict[int, Migration] = {}
    for file in folder.iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = _NAME.fullmatch(file.name)
        if match is None:
            raise MigrationRefused(f"{file.name} is not named NNNN_what_it_does.sql")
        version = int(match["version"])
        if version in migrations:
            raise MigrationRefused(f"{file.name} and {migrations[version].name} have the same version")
        migrations[version] = Migration(version, file.name, file.read_text(encoding="utf-8"))
    return [migrations[version] for version in sorted(migrations)]


def _compare(migrations: list[Migration], applied: dict[int, str]) -> None:
    known = {migration.version for migration in migrations}
    for version in applied:
        if version not in known and version < max(known, default=0):
            raise MigrationRefused(f"migration {version:04} was applied, and its file is gone")
    for migration in migrations:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise MigrationRefused(f"{migration.name} was changed after it was applied: write a further migration")


def _sql(name: str) -> str:
    return statement("shared.postgres", name)
