"""Makes a backup of the installation in a data folder, or at the servers that the settings name."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
from nats.errors import Error as NatsError

from coldstart.backup.contents import Manifest, save_contents
from coldstart.backup.errors import BackupRefused
from coldstart.backup.keys import BackupKeys
from coldstart.backup.sealed_file import sealed
from coldstart.backup.streams import SnapshotFailed
from coldstart.embedded.folder import ServerFolder
from coldstart.embedded.servers import servers
from coldstart.settings import StackSettings
from coldstart.stack.files import (
    ADMIN_KEY,
    CLOUDS,
    MASTER_SECRET,
    NoInstallation,
    NoStack,
    archive_dir,
    find_reach,
    stored,
)
from shared.running import StartRefused

UNREADABLE: Final = (SnapshotFailed, StartRefused, NatsError, asyncpg.PostgresError, OSError)


class MasterSecretUnknown(BackupRefused):
    def __init__(self) -> None:
        super().__init__(
            "the master secret is not known here, and without it a restored installation cannot sign in to its "
            "machines: set COLDSTART_MASTER_SECRET."
        )


async def back_up(settings: StackSettings, data_dir: Path, file: Path, keys: BackupKeys) -> Manifest:
    """Write `file`, completely or not at all. Whether the stack runs, or is stopped, makes no difference.

    Raises BackupRefused, NoInstallation, EmbeddedServerError.
    """
    local = _local_files(settings, data_dir)
    async with _reached(settings, data_dir) as (nats_url, database_url):
        try:
            with sealed(file, keys.recipients) as opened:

                async def put(name: str, data: bytes) -> None:
                    await asyncio.to_thread(opened.add, name, data)

                return await save_contents(nats_url, database_url, local, put, archive=archive_dir(data_dir))
        except UNREADABLE as error:
            raise BackupRefused(f"no backup was made: {error}") from error


def _local_files(settings: StackSettings, data_dir: Path) -> dict[str, bytes]:
    """What of the data folder is needed to go on elsewhere. A restore makes new passwords for the servers."""
    given = {
        MASTER_SECRET: settings.master_secret and settings.master_secret.get_secret_value(),
        ADMIN_KEY: settings.admin_key and settings.admin_key.get_secret_value(),
    }
    texts = {name: given.get(name) or stored(data_dir, name) for name in (MASTER_SECRET, ADMIN_KEY, CLOUDS)}
    if texts[MASTER_SECRET] is None:
        raise MasterSecretUnknown if settings.nats_url else NoInstallation(data_dir)
    return {name: text.encode() for name, text in texts.items() if text}


@asynccontextmanager
async def _reached(settings: StackSettings, data_dir: Path) -> AsyncGenerator[tuple[str, str]]:
    """The URLs of NATS and PostgreSQL: those of the settings, of the running stack, or started for the backup."""
    nats_url = settings.nats_url.get_secret_value() if settings.nats_url else None
    database_url = settings.database_url.get_secret_value() if settings.database_url else None
    if nats_url and database_url:
        yield nats_url, database_url
        return
    try:
        reach = find_reach(data_dir)
    except NoStack:
        with ServerFolder(data_dir, "stack").locked():
            async with servers(data_dir, nats_url, database_url) as running:
                yield running.nats_url, running.database_url
    else:
        yield reach.nats_url, reach.database_url
