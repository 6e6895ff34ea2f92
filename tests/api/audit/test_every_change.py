"""Whatever changes something leaves exactly one entry, which names who asked and no secret."""

import json
from typing import Any

import asyncpg
import httpx
import pytest
from nats.aio.msg import Msg

from shared.reconciliation import QUEUE, SUBJECT, ReconciliationReply
from tests.api.audit.changes import CHANGES, CHANGING_NOTHING, Scene
from tests.api.audit.reading import ADMINISTRATOR, entries, in_the_console
from tests.api.openapi.test_document import described, operations
from tests.api.stage import ADMIN_KEY, MASTER_SECRET, Stage, until


@pytest.fixture
async def scene(stage: Stage) -> Scene:
    async def reconciled(message: Msg) -> None:
        await message.respond(ReconciliationReply(reports=()).model_dump_json().encode())

    await stage.connection.subscribe(SUBJECT, queue=QUEUE, cb=reconciled)
    await stage.projector()
    return Scene(stage, await stage.api())


async def projected(stage: Stage) -> None:
    """Wait until all events are in the tables."""
    last = await stage.last_sequence()
    database = await asyncpg.connect(stage.database_url)

    async def reached() -> bool:
        return bool((await database.fetchval("SELECT max(sequence) FROM checkpoints") or 0) >= last)

    try:
        await until(reached)
    finally:
        await database.close()


async def left_by(scene: Scene, asker: httpx.AsyncClient, operation: str) -> tuple[list[dict[str, Any]], str]:
    """The entries that a request for this operation leaves, and what it is answered."""
    change, method = CHANGES[operation], operation.partition(" ")[0]
    path = await change.at(scene)
    await projected(scene.stage)
    before = {entry["id"] for entry in await entries(scene.client, limit=200)}
    answer = await asker.request(method, path, json=change.body)
    assert answer.is_success, f"{operation}: {answer.text}"
    await projected(scene.stage)
    return [entry for entry in await entries(scene.client, limit=200) if entry["id"] not in before], answer.text


async def test_every_operation_that_may_change_something_is_tried_here(stage: Stage) -> None:
    known = {name for name, _ in operations(await described(stage)) if not name.startswith("GET ")}
    assert known - CHANGING_NOTHING == CHANGES.keys()
    assert known >= CHANGING_NOTHING


@pytest.mark.parametrize("kind", ["key", "session"])
async def test_every_change_leaves_one_entry_of_who_asked_for_it(scene: Scene, kind: str) -> None:
    asker = {**ADMINISTRATOR, "kind": kind}
    secrets = [ADMIN_KEY, MASTER_SECRET, "a-secret"]
    async with in_the_console(scene.api) as browser:
        for operation, change in CHANGES.items():
            left, answer = await left_by(scene, scene.client if kind == "key" else browser, operation)
            told = [(entry["type"], entry["actor"]) for entry in left]
            assert told == [(change.type, asker)], operation
            shown = json.loads(answer) if answer else {}
            secrets += [shown[name] for name in ("key", "secret", "path") if name in shown]
    everything = json.dumps(await entries(scene.client, limit=200))
    assert len(secrets) > 6, "keys, secrets of webhooks and links are among what was answered"
    assert not [secret for secret in secrets if secret in everything]


async def test_a_change_that_is_refused_leaves_no_entry(scene: Scene) -> None:
    before = await entries(scene.client)
    async with scene.api.as_(await scene.api.user_key()) as nobody, scene.api.stranger() as stranger:
        made = {entry["id"] for entry in await entries(scene.client)}
        for operation, change in CHANGES.items():
            method, _, path = operation.partition(" ")
            address = path.format(instance_id=0, image_id=0, name="none", model_id=0, slug="none", code="none",
                                  key_id=0, webhook_id=0)  # fmt: skip
            for client in (nobody, stranger):
                assert (await client.request(method, address, json=change.body)).is_client_error, operation
            assert (await scene.client.request(method, address, json={"no": "such field"})).status_code != 500
    await projected(scene.stage)
    new = [entry["type"] for entry in await entries(scene.client, limit=200) if entry["id"] not in made]
    assert before == []
    assert set(new) <= {"SignInLinkCreated"}, "it takes no body, so nothing is refused of it"
