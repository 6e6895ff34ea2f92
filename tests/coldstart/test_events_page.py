"""docs/events.md works as written: each of its blocks is run out of the page, against one stack with one launch."""

import asyncio
import json
import os
import re
import shlex
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import jsonschema_rs
import nats
from jsonschema import Draft202012Validator
from nats.js.api import AckPolicy, ConsumerConfig

from shared.journal.envelope import encode
from shared.journal.event_schema import schema
from shared.journal.recorded import Origin
from shared.journal.streams import LIFECYCLE
from tests.coldstart.test_one_machine import Up, coldstart, up
from tests.coldstart.told import MODEL
from tests.embedded.owners import PROJECT
from tests.lifecycle import histories
from tests.lifecycle.facts import given

PAGE: Final = (PROJECT / "docs" / "events.md").read_text()
BLOCKS: Final = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FIRST: Final = "InstanceRequested"
LAST: Final = "InstanceReady"
LAUNCH_S: Final = 90


def blocks(kind: str) -> list[str]:
    return [text for of, text in BLOCKS if of == kind]


async def exported(data_dir: Path, *words: str) -> dict[str, str]:
    """What a shell knows after `eval`."""
    process = await coldstart("env", *words, COLDSTART_DATA_DIR=str(data_dir))
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return dict(shlex.split(line)[1].split("=", 1) for line in said.decode().splitlines())


@asynccontextmanager
async def told_by(*command: str, environment: Mapping[str, str]) -> AsyncGenerator[asyncio.StreamReader]:
    """Its output, while it runs."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=PIPE, stderr=STDOUT, limit=2**20
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def tells(*command: str, environment: Mapping[str, str]) -> list[str]:
    """All its lines up to the launch's last event. Fails on a program that ends before."""
    lines = []
    async with told_by(*command, environment=environment) as output:
        while line := await output.readline():
            lines.append(line.decode())
            if LAST in lines[-1]:
                return lines
    raise AssertionError("".join(lines))


async def hears(environment: Mapping[str, str], subject: str) -> list[dict[str, object]]:
    """What `nats sub` does, up to the launch's last event."""
    connection = await nats.connect(environment["NATS_URL"], allow_reconnect=False)
    events = []
    try:
        subscription = await connection.subscribe(subject)
        async for message in subscription.messages:
            events.append(json.loads(message.data))
            if message.subject.endswith(LAST):
                break
    finally:
        await connection.close()
    return events


async def viewed(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """What `nats stream view` does: the stream's state, a consumer that is pulled from, and its end."""
    connection = await nats.connect(environment["NATS_URL"], allow_reconnect=False)
    jetstream, name = connection.jetstream(), uuid4().hex
    try:
        state = (await jetstream.stream_info(LIFECYCLE)).state
        config = ConsumerConfig(name=name, ack_policy=AckPolicy.NONE, filter_subject="lifecycle.>")
        await jetstream.add_consumer(LIFECYCLE, config)
        pulled = await jetstream.pull_subscribe_bind(name, LIFECYCLE)
        events = [json.loads(message.data) for message in await pulled.fetch(state.messages)]
        await jetstream.delete_consumer(LIFECYCLE, name)
        first = await jetstream.get_msg(LIFECYCLE, seq=1)
        assert json.loads(first.data or b"")["type"] == FIRST
    finally:
        await connection.close()
    return events


async def launched(stack: Up) -> None:
    body = {"model": MODEL, "instance_types": ["L4-1-24G"]}
    assert (await stack.request("POST", "/instances", json=body)).status_code == 202


async def everything_else(stack: Up) -> None:
    """What the services ask of NATS besides a launch."""
    (instance,) = (await stack.request("GET", "/instances")).json()["items"]
    asked: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("GET", f"/instances/{instance['id']}/logs", {}),
        ("GET", "/instance-types", {}),
        ("POST", "/reconcile", {"json": {}}),
        ("DELETE", f"/instances/{instance['id']}", {}),
    )
    for method, path, options in asked:
        answer = await stack.request(method, path, **options)
        assert answer.is_success, answer.text


async def as_their_own_schemas_say(stack: Up, events: list[dict[str, Any]]) -> None:
    """Each has what the schema says that its `dataschema` names, as the stack tells it."""
    valid = {}
    for event in events:
        if event["type"] not in valid:
            told = (await stack.request("GET", f"/schemas/events/{event['type']}")).json()
            assert told["$id"] == event["dataschema"]
            valid[event["type"]] = Draft202012Validator(told)
        valid[event["type"]].validate(event["data"])


def violations(data_dir: Path) -> list[str]:
    """What the server has refused to a service: its client only logs it."""
    logs = (data_dir / "logs").iterdir()
    return [line for log in logs for line in log.read_text().splitlines() if "violation" in line.lower()]


async def test_every_block_of_the_page_works_as_written_and_what_comes_is_as_the_schema_says(tmp_path: Path) -> None:
    (evaluated, curl), programs, (commands,) = blocks("sh"), blocks("python"), blocks("nats")
    assert evaluated == 'eval "$(coldstart env)"\n'
    subscribed = re.findall(r"^nats sub '(\S+)'", commands, re.MULTILINE)
    assert len(subscribed) + 2 == len(commands.splitlines())
    async with up(tmp_path) as stack:
        told, with_key = await exported(tmp_path), await exported(tmp_path, "--admin-key")
        assert set(told) == {"COLDSTART_API_URL", "NATS_URL"}
        assert with_key == {**told, "COLDSTART_API_KEY": stack.reach["admin_key"]}
        assert "follower:" in told["NATS_URL"]
        async with asyncio.timeout(LAUNCH_S), asyncio.TaskGroup() as group:
            running = [
                *(group.create_task(tells(sys.executable, "-c", text, environment=with_key)) for text in programs),
                group.create_task(tells("sh", "-c", f"exec {curl}", environment=with_key)),
            ]
            heard = [group.create_task(hears(told, subject)) for subject in subscribed]
            await launched(stack)
        events = await viewed(told)
        await everything_else(stack)
        await as_their_own_schemas_say(stack, events)
        assert violations(tmp_path) == []
    for lines in (task.result() for task in running):
        assert any(FIRST in line for line in lines)
    assert {str(event["type"]) for event in heard[-1].result()} == {LAST}
    assert {str(event["type"]) for event in events} > {FIRST, LAST}
    valid = jsonschema_rs.validator_for(schema())
    assert [error.message for event in (*events, *heard[0].result()) for error in valid.iter_errors(event)] == []


async def test_without_a_stack_env_says_so_in_a_sentence(tmp_path: Path) -> None:
    process = await coldstart("env", COLDSTART_DATA_DIR=str(tmp_path))
    said, _ = await process.communicate()
    assert process.returncode == 1
    assert said.decode().startswith(f"no stack runs in {tmp_path}")


def test_the_schema_on_the_page_is_the_codes_and_refuses_what_no_service_records() -> None:
    assert json.loads((PROJECT / "docs" / "events-schema.json").read_text()) == schema()
    valid = jsonschema_rs.validator_for(schema())
    source = f"/coldstart/{uuid4()}"
    for history in histories.IN_STATUS.values():
        for number, fact in enumerate(history, start=1):
            event = json.loads(encode(uuid4(), fact, given(*history[:number]), Origin("test", uuid4()), source))
            assert [error.message for error in valid.iter_errors(event)] == []
    for wrong in (
        {**event, "type": "InstanceVanished"},
        {**event, "data": {**event["data"], "event": {}}},
        {**event, "data": {"event": event["data"]["event"]}},
    ):
        assert not valid.is_valid(wrong)
