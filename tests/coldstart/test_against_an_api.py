"""What follows many instances, against an api that really runs, while events are recorded for real."""

import asyncio
import json
import os
import pty
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.api.conftest import stage
from tests.api.fakes import free_port
from tests.api.stage import ADMIN_KEY, Stage
from tests.console.test_fleet import api_at
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts

__all__ = ["stage"]

PATIENCE_S: Final = 120.0
INTERRUPTIBLE: Final = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born deaf to it
from coldstart.cli import app
app()
"""


def recent(history: Facts) -> Facts:
    return f.timed(*history, start=datetime.now(UTC) - timedelta(minutes=10), seconds=5)


@asynccontextmanager
async def coldstart(url: str, *words: str, output: int = PIPE) -> AsyncGenerator[Process]:
    """The command, as a person runs it; within a minute, and killed if it still runs in the end."""
    env = {**os.environ, "COLDSTART_API_URL": url, "COLDSTART_API_KEY": ADMIN_KEY, "COLUMNS": "140", "LINES": "30"}
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-c", INTERRUPTIBLE, *words, env=env, stdin=DEVNULL, stdout=output, stderr=output
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield command
    finally:
        with suppress(ProcessLookupError):
            command.kill()
        await command.wait()


async def lines(command: Process, number: int) -> list[str]:
    assert command.stdout is not None
    return [(await command.stdout.readline()).decode().rstrip() for _ in range(number)]


async def interrupted(command: Process) -> bytes:
    """What it still says."""
    command.send_signal(signal.SIGINT)
    rest, complaint = await command.communicate()
    assert (command.returncode, complaint) == (130, b"")
    return rest


async def test_a_tail_goes_on_without_a_gap_once_the_api_is_back_at_its_address(stage: Stage) -> None:
    port = free_port()
    requested, *rest = recent(h.a_ready_instance())
    async with AsyncExitStack() as running:
        async with api_at(stage, port) as api:
            instance = await stage.happened(requested)
            tail = await running.enter_async_context(coldstart(api.url, "events", "tail", "--from-start", "--json"))
            told = await lines(tail, 1)
        for fact in rest[:6]:
            await stage.happened(fact, instance_id=instance.id)
        async with api_at(stage, port):
            told += await lines(tail, 6)
            for fact in rest[6:]:
                await stage.happened(fact, instance_id=instance.id)
            told += await lines(tail, len(rest) - 6)
            assert await interrupted(tail) == b""
    events: list[dict[str, Any]] = [json.loads(line) for line in told]
    assert [event["type"] for event in events] == [fact.type() for fact in (requested, *rest)]
    assert [event["data"]["instance"]["version"] for event in events] == list(range(1, len(events) + 1))


async def test_several_are_watched_until_all_have_settled(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    one = await stage.happened(*recent(h.a_launch(name="one")))
    other = await stage.happened(*recent(h.a_launch(name="other")))
    async with coldstart(api.url, "instances", "watch", str(one.id), str(other.id)) as watch:
        assert await lines(watch, 2) == ["one     50 %  booting", "other   50 %  booting"]
        for fact in (*h.an_install(), f.ssh_install_completed(), f.instance_ready()):
            await stage.happened(fact, instance_id=one.id)
        await stage.happened(f.server_lost(), instance_id=other.id)
        told, complaint = await watch.communicate()
    events = told.decode().splitlines()
    assert events[-2:] == ["one    100 %  ready        InstanceReady", "other   50 %  failed       ServerLost"]
    assert complaint.decode() == "other: server_lost: The server no longer exists at the provider.\n"
    assert watch.returncode == 1


async def test_all_are_watched_though_nothing_is_on_its_way_yet(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    await api.projected(await stage.happened(*recent(h.a_ready_instance(name="serves"))))
    async with coldstart(api.url, "instances", "watch", "--all") as watch:
        assert await lines(watch, 1) == ["No instance is starting."]
        later = await stage.happened(f.instance_requested(specification=f.a_specification(name="later")))
        assert await lines(watch, 1) == ["later    5 %  provisioning InstanceRequested"]
        await stage.happened(f.provisioning_failed(), instance_id=later.id)
        assert await lines(watch, 1) == ["later    5 %  provisioning failed ProvisioningFailed (No zone has an L4.)"]
        assert await interrupted(watch) == b""


async def test_top_shows_the_fleet_as_it_changes(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    histories = (h.a_ready_instance(name="serves"), h.a_launch(name="starts"), h.a_terminated_instance(name="ended"))
    serves, starts, ended = [await stage.happened(*recent(history)) for history in histories]
    for instance in (serves, starts, ended):
        await api.projected(instance)
    async with coldstart(api.url, "top", "--json") as once:
        told, _ = await once.communicate()
    figures = {one["name"]: (one["status"], one["in_flight"], one["requests_today"]) for one in json.loads(told)}
    assert figures == {"serves": ("ready", 0, 0), "starts": ("booting", 0, 0)}
    terminal, inside = pty.openpty()
    async with coldstart(api.url, "top", output=inside) as top:
        os.close(inside)
        await shown(terminal, "2 instances, 1.50 EUR an hour", "connecting over SSH", "fr-par-2")
        await stage.happened(f.health_lost(), instance_id=serves.id)
        await shown(terminal, "1 unavailable", "not answering")
        await stage.happened(f.termination_requested(), instance_id=starts.id)
        await shown(terminal, "deleting its resources")
        top.send_signal(signal.SIGINT)
        await shown(terminal, "\x1b[?1049l")
        assert await top.wait() == 130
    os.close(terminal)


async def shown(terminal: int, *words: str) -> None:
    """Wait until all of this was drawn from here on."""
    drawn = ""
    while not all(each in drawn for each in words):
        drawn += (await asyncio.to_thread(os.read, terminal, 65_536)).decode(errors="replace")
