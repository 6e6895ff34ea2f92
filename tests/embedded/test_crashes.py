import asyncio
import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest

from coldstart.embedded import EmbeddedPostgres, servers
from coldstart.embedded.unprivileged import unprivileged_account
from coldstart.supervised.process import Command, running
from tests.embedded.owners import KEPT, PROJECT, gone, is_alive, keep_something, kill, owner, what_was_kept


async def test_the_servers_end_when_their_owner_is_killed(tmp_path: Path) -> None:
    async with owner(tmp_path) as owned:
        family = owned.family()
        await owned.killed()
        await gone(family)


async def test_a_killed_owner_can_be_replaced_at_once_and_the_data_is_kept(tmp_path: Path) -> None:
    async with owner(tmp_path) as owned:
        await keep_something(owned.nats_url, owned.database_url)
        await owned.killed()
    async with servers(tmp_path, None, None) as again:
        assert await what_was_kept(again.nats_url, again.database_url) == KEPT


async def test_data_is_kept_when_everything_is_killed(tmp_path: Path) -> None:
    async with owner(tmp_path) as owned:
        await keep_something(owned.nats_url, owned.database_url)
        family = owned.family()
        owned.process.send_signal(signal.SIGSTOP)  # so that it cannot clean up in between
        kill(family)
        await owned.killed()
        await gone(family)
    async with servers(tmp_path, None, None) as again:
        assert await what_was_kept(again.nats_url, again.database_url) == KEPT


async def test_a_backend_that_outlived_its_postmaster_does_not_block_the_next_start(tmp_path: Path) -> None:
    async with owner(tmp_path) as owned:
        await keep_something(owned.nats_url, owned.database_url)
        connection = await asyncpg.connect(owned.database_url)
        backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
        busy = asyncio.create_task(connection.execute("DO $$ BEGIN LOOP END LOOP; END $$"))
        onlooker = await asyncpg.connect(owned.database_url)
        looping = "SELECT state = 'active' AND query LIKE 'DO %' FROM pg_stat_activity WHERE pid = $1"
        async with asyncio.timeout(120):
            while not await onlooker.fetchval(looping, backend.pid):  # noqa: ASYNC110 (nobody announces it)
                await asyncio.sleep(0)
        await onlooker.close()
        owned.process.send_signal(signal.SIGSTOP)
        kill([psutil.Process(owned.pids[1])])
        await owned.killed()
        assert is_alive(backend)
        async with servers(tmp_path, None, None) as again:
            assert not is_alive(backend)
            assert await what_was_kept(again.nats_url, again.database_url) == KEPT
    with pytest.raises((asyncpg.PostgresError, ConnectionError)):
        await busy


async def test_a_server_that_was_killed_leaves_no_backend_behind(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as postgres:
        children = psutil.Process(postgres.pid).children()
        assert children
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):  # not all of them are there to stay
                child.suspend()
        os.kill(postgres.pid, signal.SIGKILL)
    await gone(children)


async def test_a_pid_file_whose_pid_has_been_reused_does_not_stop_a_start(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as postgres:
        data = postgres.folder.data
        old_life = (data / "postmaster.pid").read_text()
    # A process of the server's own account, which is whom PostgreSQL would believe to be another postmaster.
    sleeper = Command(Path("/bin/sleep"), ["1000"], Path("/"), signal.SIGTERM, unprivileged_account())
    with (tmp_path / "output").open("w") as output:
        async with running(sleeper, output.fileno()) as reused:
            (data / "postmaster.pid").write_text(re.sub(r"\A\d+", str(reused.pid), old_life))
            async with EmbeddedPostgres(tmp_path):
                assert is_alive(psutil.Process(reused.pid))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("lifeline", [False, True], ids=["signalled by the kernel", "watched through a pipe"])
async def test_a_program_is_ended_with_its_starter(tmp_path: Path, lifeline: bool, loop: str) -> None:
    if not lifeline and sys.platform != "linux":
        pytest.skip("only Linux signals a parent's death")
    starter = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _STARTER, str(tmp_path), str(lifeline), loop),
        stdout=asyncio.subprocess.PIPE,
        cwd=PROJECT,
    )
    assert starter.stdout is not None
    async with asyncio.timeout(120):
        pid = int(await starter.stdout.readline())
    program = psutil.Process(pid)
    starter.kill()
    await starter.wait()
    await gone([program])


_STARTER = """
import importlib, signal, sys
from pathlib import Path
from coldstart.supervised.process import Command, running

async def start():
    command = Command(Path("/bin/sh"), ["-c", "echo $$; exec sleep 1000"], Path(sys.argv[1]), signal.SIGTERM)
    async with running(command, 1, lifeline=sys.argv[2] == "True") as process:
        await process.wait()

importlib.import_module(sys.argv[3]).run(start())
"""


async def test_a_watched_program_is_stopped_in_order_too(tmp_path: Path) -> None:
    script = "trap 'echo stopped; exit 0' TERM; echo $$; while :; do sleep 0.05; done"
    reading, writing = os.pipe()
    command = Command(Path("/bin/sh"), ["-c", script], tmp_path, signal.SIGTERM)
    with os.fdopen(reading) as output:
        async with running(command, writing, lifeline=True):
            os.close(writing)
            program = psutil.Process(int(await asyncio.to_thread(output.readline)))
        assert output.read() == "stopped\n"
    assert not program.is_running()


async def test_a_program_that_ignores_the_stop_is_killed_when_stopping_is_cancelled(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    command = Command(
        Path("/bin/sh"), ["-c", "trap '' TERM; echo $$; while :; do sleep 0.05; done"], tmp_path, signal.SIGTERM
    )
    started = asyncio.Event()
    leave = asyncio.Event()
    pids: list[int] = []

    async def run() -> None:
        async with running(command, writing):
            os.close(writing)
            pids.append(int(await asyncio.to_thread(output.readline)))
            started.set()
            await leave.wait()

    with os.fdopen(reading) as output:
        task = asyncio.create_task(run())
        await started.wait()
        program = psutil.Process(pids[0])
        leave.set()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not program.is_running()
