"""Whatever is asked, each operation answers as the OpenAPI document says: asked by schemathesis, for every kind of key.

`COLDSTART_CONFORMANCE_EXAMPLES` says how many requests each operation gets besides those at its bounds, which it always
gets; with `COLDSTART_CONFORMANCE_SEED` they are others than in every run, and a member's key gets them too.
"""

import asyncio
import os
import sys
from pathlib import Path
from uuid import UUID

import pytest
from nats.aio.msg import Msg

from services.api.access import wrong_keys
from services.api.feed.published import Published, Subscription
from shared import worker_output as worker_outputs
from shared.reconciliation import QUEUE, SUBJECT, ReconciliationReply
from shared.worker_output import WorkerOutputReply
from tests.api.control.test_install_output import worker_output
from tests.api.deployed import added
from tests.api.stage import ADMIN_KEY, EMBEDDING_MODEL, MODEL, RunningApi, Stage

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("COLDSTART_CONFORMANCE_EXAMPLES", "3")
SEED = os.environ.get("COLDSTART_CONFORMANCE_SEED")
NO_KEY = "csk_nobody-has-this-key"
SILENCE_S = 0.3
next_event = Subscription.next


async def next_unless_silent(subscription: Subscription) -> Published | None:
    """An event stream does not end by itself and may be silent. Here it ends when it is silent."""
    try:
        async with asyncio.timeout(SILENCE_S):
            return await next_event(subscription)
    except TimeoutError:
        return None


async def inhabited(stage: Stage) -> RunningApi:
    """An installation with at least one of everything, since empty answers prove nothing."""

    async def reconciled(message: Msg) -> None:
        await message.respond(ReconciliationReply(reports=()).model_dump_json().encode())

    async def read(message: Msg) -> None:
        await message.respond(WorkerOutputReply(output=worker_output("loading")).model_dump_json().encode())

    await stage.connection.subscribe(SUBJECT, queue=QUEUE, cb=reconciled)
    await stage.connection.subscribe(worker_outputs.SUBJECT, queue=worker_outputs.QUEUE, cb=read)
    await stage.projector()
    api = await stage.api()
    acme = UUID((await api.organization("acme"))["id"])
    for code, model in (("chat", MODEL), ("embed", EMBEDDING_MODEL)):
        await api.offering("acme", code, model)
    for organization in (None, "acme"):
        made = await api.client.put("/deployments/chat", json={"model": MODEL, "organization": organization})
        assert made.status_code == 201, made.text
        await added(stage, "chat", acme if organization else None)
    worker = await stage.worker()
    for owner in (None, acme):
        instance = await stage.ready(worker.address, organization_id=owner)
        await stage.ready(worker.address, organization_id=owner, model=EMBEDDING_MODEL, task="embed")
        await api.projected(instance)
    await api.routes()
    return api


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("asking", "how"),
    [
        ("an administrator", ("--phases", "coverage,fuzzing")),
        ("a member of an organisation", ("--phases", "coverage,fuzzing" if SEED else "coverage")),
        ("nobody", ("--phases", "coverage", "--mode", "positive")),  # what is wrong besides the key is never looked at
    ],
)
async def test_every_operation_answers_as_it_is_described(
    stage: Stage, asking: str, how: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrong_keys, "_EVERY_S", 0.0)  # most requests are made with a wrong key, too, and that one waits
    monkeypatch.setattr(Subscription, "next", next_unless_silent)
    api = await inhabited(stage)
    keys = {"an administrator": ADMIN_KEY, "nobody": NO_KEY}
    key = keys.get(asking) or await api.user_key("acme")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "--no-color"),
        *("run", f"{api.url}/schema/openapi.json", "--max-examples", EXAMPLES, *how),
        *(("--seed", SEED) if SEED else ("--generation-deterministic",)),
        env={**os.environ, "COLDSTART_TEST_URL": api.url, "COLDSTART_TEST_KEY": key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, told.decode()
