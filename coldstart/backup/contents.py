"""What is in a backup, and in which order it is read while others write.

The event stream comes first, and then the archive into which events are moved from it. A dead letter is stored before
its message is acknowledged, and an organisation or a model before an event names it. So whatever the copied events name
is in the later copies, too. The read model is not in it: progress computes it from the stream.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from nats.aio.client import Client
from nats.js.api import StreamConfig

from coldstart.backup.errors import BackupUnreadable, NotRestored
from coldstart.backup.streams import SnapshotFailed, restore_stream, snapshot
from coldstart.backup.tables import KEPT, columns, load, save, schema_version, snapshot_of_tables, was_used
from coldstart.stack.files import ARCHIVE
from services.progress.archive import Archive
from shared import install_output, worker_output
from shared.bus.agreed import our_own, schema_of
from shared.bus.connection import connected_once
from shared.bus.installation import installation_id
from shared.bus.topology import DEAD_LETTERS, REPLAYS, streams
from shared.journal.envelope import SCHEMA_VERSION
from shared.journal.streams import LIFECYCLE
from shared.postgres.connection import connect_pool, connecting
from shared.postgres.migrate import found, migrate

FORMAT: Final = 1
MANIFEST: Final = "backup.json"
_END: Final = "end"
_STREAMS: Final = (
    *(LIFECYCLE, DEAD_LETTERS, REPLAYS),
    *(f"KV_{bucket}" for bucket in (install_output.BUCKET, worker_output.BUCKET)),
)
"""In this order. The bucket of instance types is left out: the provisioner publishes it anew."""
_CONNECT_S: Final = 30.0
_ANSWER_S: Final = 60.0
"""A machine that is busy answers late, and nobody waits for a backup second by second."""
_PIECE_BYTES: Final = 1_000_000

Put = Callable[[str, bytes], Awaitable[None]]
Member = tuple[str, bytes]


@dataclass(frozen=True)
class Manifest:
    """`schema_version`: of PostgreSQL's tables. `made_at` is when the backup began."""

    format: int
    coldstart: str
    made_at: str
    installation: str
    schema_version: int


@dataclass(frozen=True)
class Amounts:
    """`events` in the stream, and `rows` by table."""

    events: int
    rows: Mapping[str, int]


async def save_contents(
    nats_url: str, database_url: str, local: Mapping[str, bytes], put: Put, *, archive: Path | None = None
) -> Manifest:
    """Put everything, under a name for each part. `local`: the files of the data folder; `archive`: its folder.

    Raises InstallationLost, SnapshotFailed, and what NATS or PostgreSQL raise.
    """
    async with connected_once(nats_url, timeout_s=_CONNECT_S) as connection:
        installation = await installation_id(connection.jetstream(timeout=_ANSWER_S))
        if installation is None:
            raise SnapshotFailed(f"there is no stream {LIFECYCLE}")
        async with connecting(database_url, name="coldstart backup") as database:
            schema = await schema_version(database)
        manifest = Manifest(FORMAT, version("coldstart"), datetime.now(UTC).isoformat(), str(installation), schema)
        await put(MANIFEST, encoded(manifest))
        for name, data in local.items():
            await put(f"files/{name}", data)
        for stream in _STREAMS:
            await _save_stream(connection, stream, put)
    for file in Archive(archive, installation).files if archive else ():  # after the stream, from which they are moved
        await _save_file(f"archive/{file.name}", file, put)
    async with snapshot_of_tables(database_url) as database:
        for table in KEPT:
            if not (named := await columns(database, table)):  # of a later migration than the last one there
                continue
            await put(f"tables/{table}/columns", json.dumps(named).encode())
            await save(database, table, named, lambda table, data: put(f"tables/{table}/rows", data))
    await put(_END, b"")
    return manifest


async def _save_file(name: str, file: Path, put: Put) -> None:
    """One state of it, even if it is replaced meanwhile."""
    with await asyncio.to_thread(file.open, "rb") as opened:
        while data := await asyncio.to_thread(opened.read, _PIECE_BYTES):
            await put(name, data)


async def _save_stream(connection: Client, stream: str, put: Put) -> None:
    async with snapshot(connection, stream) as taken:
        if taken is None:
            return
        about = {"config": taken.config, "state": taken.state}
        await put(f"streams/{stream}/about", json.dumps(about).encode())
        async for chunk in taken.chunks:
            await put(f"streams/{stream}/chunks", chunk)


def check(members: Iterator[Member]) -> Manifest:
    """Read everything, and return the manifest. Raises BackupUnreadable."""
    first, data = next(members, ("", b""))
    if first != MANIFEST:
        raise BackupUnreadable("the file is encrypted with this key, but is no backup of Coldstart.")
    manifest = _manifest(data)
    last = first
    for last, _ in members:  # noqa: B007 - the last one counts
        pass
    if last != _END:
        raise BackupUnreadable("the backup has no end: whatever wrote it was interrupted.")
    return manifest


def encoded(manifest: Manifest) -> bytes:
    return json.dumps(asdict(manifest)).encode()


def _manifest(data: bytes) -> Manifest:
    fields = json.loads(data)
    newest = max(migration.version for migration in found(files("migrations")))
    if fields["format"] > FORMAT or fields["schema_version"] > newest:
        raise _made_by_newer(fields["coldstart"])
    return Manifest(**{name: fields[name] for name in Manifest.__dataclass_fields__})


def _made_by_newer(coldstart: str) -> BackupUnreadable:
    return BackupUnreadable(
        f"the backup was made by Coldstart {coldstart}, which is newer than this one ({version('coldstart')}): restore "
        "it with that version."
    )


async def load_contents(
    members: Iterator[Member], nats_url: str, database_url: str, *, replicas: int, keep: Callable[[str, bytes], None]
) -> Amounts:
    """Restore streams and tables into servers that have none of them; `keep` gets pieces of the data folder's files.

    If it fails, what it has created is gone again. Raises NotRestored, BackupUnreadable, and what NATS or PostgreSQL
    raise.
    """
    manifest = _manifest(next(members)[1])
    async with AsyncExitStack() as cleanup:
        connection = await cleanup.enter_async_context(connected_once(nats_url, timeout_s=_CONNECT_S))
        await _check_place(connection, database_url)
        made: list[str] = []
        try:
            async with connect_pool(database_url, name="coldstart restore", max_size=1) as pool:
                await migrate(pool, through=manifest.schema_version)
            database = await cleanup.enter_async_context(
                connecting(database_url, name="coldstart restore", command_timeout_s=None)
            )
            events, rows = 0, dict[str, int]()
            async with database.transaction():
                for (kind, name), part in _parts(members):
                    if kind in {"files", "archive"}:
                        place = name if kind == "files" else f"{ARCHIVE}/{manifest.installation}/{name}"
                        async for data in _each(part):
                            keep(place, data)
                    elif kind == "streams":
                        about = json.loads(next(part)[1])
                        config = _configuration(about["config"], manifest, replicas)
                        made.append(name)
                        await restore_stream(connection, config, about["state"], _each(part))
                        events = events or about["state"]["messages"]
                    elif kind == "tables":
                        rows[name] = await load(database, name, json.loads(next(part)[1]), _each(part))
        except BaseException:
            for name in made:
                await connection.jetstream(timeout=_ANSWER_S).delete_stream(name)
            raise
        return Amounts(events, rows)


async def _check_place(connection: Client, database_url: str) -> None:
    names = {str(info.config.name) for info in await connection.jetstream(timeout=_ANSWER_S).streams_info()}
    if taken := sorted(names & {*_STREAMS}):
        raise NotRestored(f"NATS already has the stream {taken[0]}: restore into a server or account without it.")
    async with connecting(database_url, name="coldstart restore") as database:
        if await was_used(database):
            raise NotRestored("the database already has Coldstart's tables: restore into an empty one.")


def _configuration(saved: Mapping[str, Any], manifest: Manifest, replicas: int) -> dict[str, Any]:
    """As this version declares the stream, on a server of this size, with what its services have agreed on.

    Raises BackupUnreadable for events that this version cannot read.
    """
    agreed = our_own(saved.get("metadata"))
    if schema_of(StreamConfig(metadata=agreed)) > SCHEMA_VERSION:
        raise _made_by_newer(manifest.coldstart)
    declared = {config.name: config for config in streams(replicas, UUID(manifest.installation))}
    config: dict[str, Any] = declared[saved["name"]].as_dict() if saved["name"] in declared else dict(saved)
    return {**config, "metadata": agreed | (config.get("metadata") or {}), "num_replicas": replicas}


def _parts(members: Iterator[Member]) -> Iterator[tuple[tuple[str, str], Iterator[Member]]]:
    """The members of one file, stream or table at a time."""

    def part(member: Member) -> tuple[str, str]:
        kind, _, rest = member[0].partition("/")
        return kind, rest.partition("/")[0]

    yield from groupby(members, part)


async def _each(part: Iterator[Member]) -> AsyncIterator[bytes]:
    """Their bytes; reading and decrypting them blocks no event loop."""
    while (member := await asyncio.to_thread(next, part, None)) is not None:
        yield member[1]
