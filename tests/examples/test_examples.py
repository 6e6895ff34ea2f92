"""examples/README.md and examples/nats.md work as written: each block is run out of the page, against one launch."""

import asyncio
import csv
import io
import json
import os
import re
import shutil
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import nats
import pytest
from aiohttp import web
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError
from playwright.async_api import expect

from shared.journal.streams import LIFECYCLE
from tests.coldstart.test_events_page import exported, launched
from tests.coldstart.test_one_machine import Up, up
from tests.console.chromium import INSTALLED, a_browser
from tests.embedded.owners import PROJECT

EXAMPLES: Final = PROJECT / "examples"
README: Final = (EXAMPLES / "README.md").read_text()
NATS: Final = (EXAMPLES / "nats.md").read_text()
NODE_MODULES: Final = PROJECT / "tests" / "node" / "node_modules"
SECTIONS: Final = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))
EXPORTED: Final = re.compile(r'eval "\$\(coldstart env(?: --admin-key)?\)"\n')
PATIENCE_S: Final = 240
"""For a launch on a busy machine; each program waits for what it is about, and for nothing else."""
READY: Final = "InstanceReady"


def block(section: str) -> str:
    """The commands of a section that start its program; what installs something is pinned elsewhere."""
    found = re.findall(r"^```sh\n(.*?)^```$", SECTIONS[section], re.MULTILINE | re.DOTALL)
    (one,) = [text for text in found if not text.startswith("npm install")]
    return str(one)


@asynccontextmanager
async def running(section: str, folder: Path, **environment: str) -> AsyncGenerator[asyncio.StreamReader]:
    """What the block of a section prints, until the block ends; its whole process group ends then."""
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", block(section)),
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment},
        stdout=PIPE,
        stderr=STDOUT,
        limit=2**20,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def until(output: asyncio.StreamReader, words: str) -> str:
    """All that it prints up to the line with these words. Fails on a program that ends before."""
    said = ""
    while line := await output.readline():
        said += line.decode()
        if words in line.decode():
            return said
    raise AssertionError(said)


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


@asynccontextmanager
async def a_slack() -> AsyncGenerator[tuple[str, asyncio.Queue[Any]]]:
    """Takes what is posted as Slack's incoming webhooks do, and yields its address and what came."""
    posted: asyncio.Queue[Any] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        await posted.put(await request.json())
        return web.Response(text="ok")

    application = web.Application()
    application.router.add_post("/services/T0/B0/x", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/services/T0/B0/x", posted
    finally:
        await runner.cleanup()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The project as a newcomer has it, with what `npm install` would bring, if that is there."""
    shutil.copytree(EXAMPLES, tmp_path / "project" / "examples", ignore=shutil.ignore_patterns("node_modules"))
    if NODE_MODULES.is_dir():
        (tmp_path / "project" / "examples" / "node" / "node_modules").symlink_to(NODE_MODULES)
    return tmp_path / "project"


@pytest.mark.timeout(2 * PATIENCE_S)
async def test_every_example_works_as_its_page_says(tmp_path: Path, folder: Path) -> None:
    data, metrics_port, page_port = tmp_path / "data", free_port(), free_port()
    started = partial(running, folder=folder, COLDSTART_DATA_DIR=str(data))
    async with asyncio.timeout(PATIENCE_S), up(data) as stack, a_slack() as (slack, posted), AsyncExitStack() as beside:
        notifying = await beside.enter_async_context(started("To a Slack channel", SLACK_WEBHOOK_URL=slack))
        exporting = await beside.enter_async_context(started("To Prometheus", PORT=metrics_port))
        await until(notifying, "listening")
        await until(exporting, "listening")
        await launched(stack)
        async with started("curl") as output:
            assert "event: InstanceRequested" in await until(output, f"event: {READY}")
        for section, words in (("FastStream", f"{READY} ready"), *of_node(f"{READY} ready")):
            async with started(section) as output:
                assert "InstanceRequested provisioning" in await until(output, words), section
        assert await posted.get() == {"text": words_for_slack(await instance_of(stack))}
        await metrics_say(metrics_port, 'my_instances{model="Qwen/Qwen2.5-0.5B-Instruct",status="ready"} 1.0')
        await metrics_say(metrics_port, 'my_launch_seconds_count{model="Qwen/Qwen2.5-0.5B-Instruct"} 1.0')
        if INSTALLED or "CI" in os.environ:
            async with started("In a browser", PORT=page_port) as output:
                await until(output, page_port)
                await the_page_shows(page_port, (await instance_of(stack))["name"])
        async with started("Costs to CSV") as output:
            assert await output.read() == b""
        (row,) = csv.DictReader(io.StringIO((folder / "costs.csv").read_text()))
        assert float(row["cost"]) > 0
        assert row["currency"] == "EUR"
        async with started("A durable consumer, with nats-py") as output:
            assert "InstanceRequested provisioning" in await until(output, f"{READY} ready")
        await everything_on_the_page_of_commands(await exported(data), await instance_of(stack))
        async with started("Stop what is idle", IDLE_MINUTES="0") as output:
            await until(output, f"draining {(await instance_of(stack))['name']}")
        async with started("A durable consumer, with nats-py") as output:
            assert "InstanceRequested" not in await until(output, "DrainRequested draining")


def of_node(words: str) -> list[tuple[str, str]]:
    """Node's example, where Node is: a continuous integration has it."""
    there = shutil.which("node") is not None and (NODE_MODULES / "nats").is_dir()
    return [("Node", words)] if there or "CI" in os.environ else []


async def instance_of(stack: Up) -> dict[str, Any]:
    (instance,) = (await stack.request("GET", "/instances")).json()["items"]
    return dict(instance)


def words_for_slack(instance: dict[str, Any]) -> str:
    return f":large_green_circle: *{instance['name']}* ({instance['model']}) is ready"


async def metrics_say(port: str, line: str) -> None:
    async with httpx.AsyncClient() as client:
        while line not in (await client.get(f"http://127.0.0.1:{port}/metrics")).text:  # noqa: ASYNC110 - it is polled
            await asyncio.sleep(0.1)


async def the_page_shows(port: str, name: str) -> None:
    async with a_browser() as browser:
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{port}")
        await expect(page.get_by_role("status")).to_have_text("live")
        await expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("ready", timeout=20_000)


Asked = Callable[[JetStreamContext, str], Awaitable[bool]]
"""Does what a command asks the server for, about one id, and says whether it came."""


def subscribing(subject: str) -> Asked:
    async def asked(jetstream: JetStreamContext, its_id: str) -> bool:
        subscription = await jetstream._nc.subscribe(subject.replace("ID", its_id))
        await jetstream._nc.flush()
        await subscription.unsubscribe()
        return bool(jetstream._nc.is_connected)

    return asked


def consuming(subject: str, **config: Any) -> Asked:
    """By a consumer of its own, as `nats sub --stream` and `nats stream view` read."""

    async def asked(jetstream: JetStreamContext, its_id: str) -> bool:
        name = uuid4().hex
        options = {"filter_subject": subject.replace("ID", its_id), "ack_policy": AckPolicy.NONE, **config}
        await jetstream.add_consumer(LIFECYCLE, ConsumerConfig(name=name, **options))
        pulled = await jetstream.pull_subscribe_bind(name, LIFECYCLE)
        messages = await pulled.fetch(1_000, timeout=1)
        await jetstream.delete_consumer(LIFECYCLE, name)
        return any(message.subject.endswith(f"{its_id}.{READY}") for message in messages)

    return asked


def an_hour_ago() -> str:
    return (datetime.now(UTC) - timedelta(hours=1)).isoformat()


async def last_of_a_kind(jetstream: JetStreamContext, its_id: str) -> bool:
    found = await jetstream.get_last_msg(LIFECYCLE, f"lifecycle.{its_id}.{READY}")
    return bool(json.loads(found.data or b"")["type"] == READY)


async def first(jetstream: JetStreamContext, its_id: str) -> bool:
    found = await jetstream.get_msg(LIFECYCLE, 1)
    return str(found.subject) == f"lifecycle.{its_id}.InstanceRequested"


async def state(jetstream: JetStreamContext, _: str) -> bool:
    return bool((await jetstream.stream_info(LIFECYCLE)).state.messages)


async def reported(jetstream: JetStreamContext, _: str) -> bool:
    return "my-program" in {one.name for one in await jetstream.consumers_info(LIFECYCLE)}


async def one_consumer(jetstream: JetStreamContext, _: str) -> bool:
    return bool((await jetstream.consumer_info(LIFECYCLE, "my-program")).num_pending == 0)


async def forgotten(jetstream: JetStreamContext, _: str) -> bool:
    """Of a consumer with another name: the example's goes on."""
    await jetstream.add_consumer(LIFECYCLE, ConsumerConfig(durable_name="another-program"))
    assert await jetstream.delete_consumer(LIFECYCLE, "another-program")
    with pytest.raises(NotFoundError):
        await jetstream.consumer_info(LIFECYCLE, "another-program")
    return True


EQUIVALENTS: Final[Mapping[str, Callable[[], Asked]]] = {
    "nats sub 'lifecycle.>'": lambda: subscribing("lifecycle.>"),
    "nats sub 'lifecycle.*.InstanceReady'": lambda: subscribing("lifecycle.*.InstanceReady"),
    "nats sub 'lifecycle.ID.>'": lambda: subscribing("lifecycle.ID.>"),
    "nats sub --stream LIFECYCLE --all 'lifecycle.ID.>'": lambda: consuming("lifecycle.ID.>"),
    "nats sub --stream LIFECYCLE --since 1h 'lifecycle.>'": lambda: consuming(
        "lifecycle.>", deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=an_hour_ago()
    ),
    "nats stream view LIFECYCLE --since 1h": lambda: consuming(
        "lifecycle.>", deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=an_hour_ago()
    ),
    "nats stream get LIFECYCLE --last-for 'lifecycle.ID.InstanceReady'": lambda: last_of_a_kind,
    "nats stream get LIFECYCLE 1": lambda: first,
    "nats stream info LIFECYCLE": lambda: state,
    "nats consumer report LIFECYCLE": lambda: reported,
    "nats consumer info LIFECYCLE my-program": lambda: one_consumer,
    "nats consumer rm LIFECYCLE my-program": lambda: forgotten,
}


def commands() -> list[str]:
    blocks = re.findall(r"^```nats\n(.*?)^```$", NATS, re.MULTILINE | re.DOTALL)
    return [line.partition("#")[0].rstrip() for block in blocks for line in block.splitlines()]


async def everything_on_the_page_of_commands(environment: Mapping[str, str], instance: dict[str, Any]) -> None:
    connection = await nats.connect(environment["NATS_URL"], allow_reconnect=False)
    try:
        for command in commands():
            assert await EQUIVALENTS[command]()(connection.jetstream(), instance["id"]), command
    finally:
        await connection.close()


def test_every_command_of_the_page_has_its_equivalent() -> None:
    assert set(commands()) == set(EQUIVALENTS)


def test_every_example_is_on_the_page_and_begins_with_the_stacks_addresses() -> None:
    programs = {
        path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.py") if "node_modules" not in path.parts
    }
    programs |= {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.glob("node/*.mjs")}
    assert {path for path in programs if f"]({path})" in README} == programs
    for section in SECTIONS:
        if section != "The `nats` command line":
            assert EXPORTED.match(block(section)), section


def test_node_has_the_client_that_the_tests_have() -> None:
    asked, tested = (
        json.loads((place / "package.json").read_text())["dependencies"]["nats"]
        for place in (EXAMPLES / "node", NODE_MODULES.parent)
    )
    assert asked.split(".")[0] == tested.split(".")[0]


def test_the_subscriber_of_faststream_has_fifteen_lines() -> None:
    text = (EXAMPLES / "faststream_subscriber.py").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 15
    assert "declare=False" in text
