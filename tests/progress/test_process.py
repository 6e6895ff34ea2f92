"""The service as a process: started, killed, told to stop; and its command."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest

from services.progress.app import running
from services.progress.settings import ProgressSettings
from shared.journal.streams import LIFECYCLE
from tests.lifecycle import histories as h
from tests.progress.read_model import all_rows
from tests.progress.service import Stage


@asynccontextmanager
async def process(settings: ProgressSettings, *arguments: str, stderr: int = DEVNULL) -> AsyncGenerator[Process]:
    environment = {
        "COLDSTART_NATS_URL": settings.nats_url.get_secret_value(),
        "COLDSTART_DATABASE_URL": settings.database_url.get_secret_value(),
        "COLDSTART_STANDBY_SECONDS": str(settings.standby_seconds),
    }
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.progress", *arguments, env={**os.environ, **environment}, stderr=stderr
    )
    try:
        yield program
    finally:
        with suppress(ProcessLookupError):
            program.kill()
        await program.wait()


async def test_a_standby_takes_over_from_a_killed_process(stage: Stage) -> None:
    async with process(stage.settings) as active:
        await stage.watcher.reached(await stage.author.write(h.a_launch()))
        async with running(stage.settings):
            writing_on = asyncio.create_task(stage.author.write_many(*[h.a_ready_instance()] * 3))
            active.kill()
            await stage.watcher.reached(await writing_on)
            await stage.all_is_there()


async def test_a_process_that_is_told_to_stop_ends_well_and_at_once(stage: Stage) -> None:
    async with process(stage.settings) as active:
        await stage.watcher.reached(await stage.author.write(h.a_launch()))
        active.send_signal(signal.SIGTERM)
        async with asyncio.timeout(120):
            assert await active.wait() == 0


async def test_the_command_rebuilds(stage: Stage) -> None:
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write(h.a_ready_instance()))
        rows = await all_rows(stage.database)
        await stage.database.execute("TRUNCATE step_durations")
        async with process(stage.settings, "rebuild") as program:
            assert await program.wait() == 0
        assert await all_rows(stage.database) == rows


@pytest.mark.parametrize("arguments", [(), ("rebuild",)])
async def test_a_start_that_finds_a_stream_without_its_installation_says_so_in_a_sentence(
    stage: Stage, arguments: tuple[str, ...]
) -> None:
    jetstream = stage.author.connection.jetstream()
    config = (await jetstream.stream_info(LIFECYCLE)).config
    await jetstream.update_stream(config.evolve(metadata={}))
    async with process(stage.settings, *arguments, stderr=PIPE) as program:
        _, said = await program.communicate()
        assert program.returncode == 1
    (sentence,) = said.decode().splitlines()
    assert sentence.startswith(f"the stream {LIFECYCLE} does not say which installation it belongs to")
