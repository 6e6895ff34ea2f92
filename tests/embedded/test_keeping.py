"""Embedded servers that are killed, fail to start, or get stuck on a full disk."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NoAnswer
from nats.js.api import StreamConfig
from structlog.testing import capture_logs

from coldstart.embedded import (
    EmbeddedNats,
    EmbeddedPostgres,
    EmbeddedServerError,
    PortTakenError,
    ServerEndedError,
    servers,
)
from coldstart.embedded.keeping import LONGEST_PAUSE_S, QUICK_S, ROOM, Keeper, QuickEnds, kept
from coldstart.embedded.nats import write_error_in
from coldstart.embedded.ports import HOST
from coldstart.embedded.server import EmbeddedServer
from shared.bus.connection import connect
from tests.embedded.owners import KEPT, is_alive, keep_something, what_was_kept

WITHIN_S = 60
STUCK = "JetStream stream 'COLDSTART > LIFECYCLE' write error: write 1.blk: no space left on device"


def test_quick_ends_wait_longer_each_time_and_a_long_run_forgets_them() -> None:
    ends, pauses = QuickEnds(), []
    for _ in range(10):
        ends = ends.another(1.0, ROOM)
        pauses.append(ends.pause_s)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.2, LONGEST_PAUSE_S)
    assert ends.another(QUICK_S, ROOM) == QuickEnds(1, 0)


def test_ends_on_a_full_disk_are_not_hopeless() -> None:
    assert QuickEnds(7, 3).another(0.0, ROOM - 1) == QuickEnds(8, 3)
    assert QuickEnds(7, 3).another(0.0, ROOM) == QuickEnds(8, 4)


def test_only_a_write_error_needs_another_start() -> None:
    assert write_error_in({"data": {"status": "unavailable", "error": STUCK}}) == STUCK
    assert write_error_in({"data": {"status": "unavailable", "error": "JetStream is recovering"}}) is None
    assert write_error_in({"data": {"status": "ok"}}) is None
    assert write_error_in({}) is None


async def test_both_servers_are_started_again_where_they_were_with_what_they_had(tmp_path: Path) -> None:
    async with servers(tmp_path, None, None) as running:
        await keep_something(running.nats_url, running.database_url)
        urls = [server.url for server in running.embedded]
        for server in running.embedded:
            await restarted(server, lambda killed: os.kill(killed.pid, signal.SIGKILL))
        assert [server.url for server in running.embedded] == urls
        assert await what_was_kept(running.nats_url, running.database_url) == KEPT
        assert not any(keeping.done() for keeping in running.keeping)


async def test_a_server_whose_port_was_taken_meanwhile_is_not_started_on_another(tmp_path: Path) -> None:
    async with EmbeddedNats(tmp_path) as server:
        url, port = server.url, server.folder.port or 0
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(ServerEndedError):
            await server.ended()
        with socket.create_server((HOST, port)), pytest.raises(PortTakenError):
            await server.start_again()
        await server.start_again()
        assert server.url == url
        assert not await refuses(server)


async def test_postgres_is_started_again_though_a_backend_was_busy(tmp_path: Path) -> None:
    async with servers(tmp_path, "nats://elsewhere:4222", None) as running:
        (postgres,) = running.embedded
        busy = await asyncpg.connect(running.database_url)
        backend = psutil.Process(await busy.fetchval("SELECT pg_backend_pid()"))
        looping = asyncio.create_task(busy.execute("DO $$ BEGIN LOOP END LOOP; END $$"))
        onlooker = await asyncpg.connect(running.database_url)
        active = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1"
        async with asyncio.timeout(WITHIN_S):
            while not await onlooker.fetchval(active, backend.pid):  # noqa: ASYNC110 (nobody announces it)
                await asyncio.sleep(0)
        await restarted(postgres, lambda killed: os.kill(killed.pid, signal.SIGKILL))
        assert not is_alive(backend)
        await (await asyncpg.connect(running.database_url)).close()
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await looping


async def test_a_server_that_cannot_be_started_again_is_given_up_after_so_many_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coldstart.embedded.keeping.FIRST_PAUSE_S", 0.0)
    with capture_logs() as logs:
        async with EmbeddedPostgres(tmp_path) as postgres:
            (postgres.folder.data / "PG_VERSION").write_text("9.6\n")
            os.kill(postgres.pid, signal.SIGKILL)
            with pytest.raises(EmbeddedServerError, match="database files are incompatible with server"):
                async with asyncio.timeout(WITHIN_S):
                    await Keeper(postgres, most=2).run()
    ended = [line for line in logs if line["event"] == "embedded server ended"]
    assert len(ended) == 2
    assert "killed by signal 9" in ended[0]["reason"]


class StuckNats(EmbeddedNats):
    """Says that it is stuck until it has been started again."""

    starts = 0

    async def start_again(self) -> None:
        self.starts += 1
        await super().start_again()

    async def write_error(self) -> str | None:
        return None if self.starts else STUCK


async def test_a_server_that_writes_no_more_is_started_again_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frees = iter([ROOM - 1, ROOM - 1, ROOM, ROOM])
    asked: list[int] = []

    def disk_usage(_: Path) -> Any:
        free = next(frees, ROOM)
        asked.append(free)
        return shutil._ntuple_diskusage(0, 0, free)

    async with StuckNats(tmp_path) as server:
        monkeypatch.setattr("coldstart.embedded.keeping.shutil.disk_usage", disk_usage)
        keeping = asyncio.create_task(Keeper(server, most=0, look_s=0.0).run())
        with pytest.raises(EmbeddedServerError, match="the embedded nats stores nothing more: JetStream"):
            async with asyncio.timeout(WITHIN_S):
                await keeping
    assert asked[:3] == [ROOM - 1, ROOM - 1, ROOM]


class SmallDisk:
    """A file system in memory, which only root can mount."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, megabytes: int) -> None:
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(self.folder)]
        mounted = subprocess.run(["mount", *options], check=False, capture_output=True)
        if mounted.returncode:
            pytest.skip(f"no small disk can be mounted: {mounted.stderr.decode().strip()}")

    def fill(self) -> None:
        """To the last byte."""
        for size in (100_000, 1):
            with suppress(OSError), (self.folder / "filler").open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(size))

    def make_room(self) -> None:
        (self.folder / "filler").unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """To be mounted by the test."""
    disk = SmallDisk(tmp_path / "small")
    disk.folder.mkdir()
    yield disk
    if disk.folder.is_mount():
        subprocess.run(["umount", "--lazy", str(disk.folder)], check=True)


async def test_a_nats_server_that_met_a_full_disk_stores_again_when_there_is_room(
    small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coldstart.embedded.keeping.LOOK_S", 0.1)
    small_disk.mount(48)
    server = EmbeddedNats(small_disk.folder)
    async with kept(server):
        connection = await connect(server.url, "test")
        stream = connection.jetstream(timeout=1)
        await stream.add_stream(StreamConfig(name="KEPT", subjects=["kept"]))
        await stream.publish("kept", b"before")
        small_disk.fill()
        with pytest.raises(NoAnswer):
            await stream.publish("kept", bytes(100_000))
        reason = await server.write_error()
        assert reason is not None
        assert "no space left on device" in reason
        small_disk.make_room()
        async with asyncio.timeout(WITHIN_S):
            while True:
                with suppress(NatsError):
                    await stream.publish("kept", b"after")
                    break
        assert (await stream.get_last_msg("KEPT", "kept")).data == b"after"
        await connection.close()


async def test_a_postgres_server_that_ends_on_a_full_disk_is_started_again_when_there_is_room(
    small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it fails until then."""
    monkeypatch.setattr("coldstart.embedded.keeping.LONGEST_PAUSE_S", 0.2)
    small_disk.mount(256)
    server = EmbeddedPostgres(small_disk.folder)
    with capture_logs() as logs:
        async with kept(server, most=0) as keeping:
            connection = await asyncpg.connect(server.url)
            await connection.execute("CREATE TABLE kept AS SELECT 'row' AS word")
            small_disk.fill()
            os.kill(server.pid, signal.SIGKILL)
            async with asyncio.timeout(WITHIN_S):
                while sum(line["event"] == "embedded server ended" for line in logs) < 3:  # noqa: ASYNC110 (only logged)
                    await asyncio.sleep(0.01)
            small_disk.make_room()
            async with asyncio.timeout(WITHIN_S):
                while not any(line["event"] == "embedded server runs again" for line in logs):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert not keeping.done()
            again = await asyncpg.connect(server.url)
            assert await again.fetchval("SELECT word FROM kept") == "row"
            await again.close()


async def restarted(server: EmbeddedServer, kill: Any) -> None:
    """End it, and wait until another process of it works."""
    pid = server.pid
    kill(server)
    async with asyncio.timeout(WITHIN_S):
        while server.pid == pid or await refuses(server):  # noqa: ASYNC110 (its keeper only logs it)
            await asyncio.sleep(0.01)


async def refuses(server: EmbeddedServer) -> bool:
    try:
        await server.probe(server.folder.port or 0)
    except OSError:
        return True
    except server.not_yet:
        return True
    return False
