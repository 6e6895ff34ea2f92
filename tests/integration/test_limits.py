"""The ends that owners set in advance, told by what the simulated vLLM itself counts of its requests."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from shared.bus.connection import connect
from shared.journal.journal import Journal
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.wish import Wish
from tests.integration.line import INSTANCE_TYPE, MODEL, Changes, Line, line

LIMIT_S = 2
IDLE_LIMIT_S = 5  # requests come far more often, however busy the machine
ONLY_WHEN_ASKED: Changes = {"provisioner": {"reconcile_seconds": 3600.0}}
A_QUESTION: Any = {"model": MODEL, "messages": [{"role": "user", "content": "Still there?"}]}


async def test_an_instance_is_drained_and_ends_by_itself_once_it_has_served_nobody_for_long_enough(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url) as running:
        instance_id = await launched(running, nats_url, idle_shutdown=IDLE_LIMIT_S)
        await running.heard.until(instance_id, "InstanceReady")
        answered = await asked_for(running, 1.5 * IDLE_LIMIT_S)
        assert "IdleLimitReached" not in running.heard.types(instance_id)
        reached = await running.heard.until(instance_id, "IdleLimitReached")
        idle_s = (datetime.fromisoformat(reached["data"]["event"]["occurred_at"]) - answered).total_seconds()
        assert idle_s > IDLE_LIMIT_S / 2
        assert reached["data"]["instance"]["status"] == "draining"
        await ended(running, instance_id)


async def test_an_instance_that_has_lived_for_long_enough_is_drained_and_ends_by_itself(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url, changes=ONLY_WHEN_ASKED) as running:
        instance_id = await launched(running, nats_url, max_lifetime=LIMIT_S)
        ready = await running.heard.until(instance_id, "InstanceReady")
        created_at = datetime.fromisoformat(ready["data"]["instance"]["created_at"])
        await asked_for(running, LIMIT_S - (datetime.now(UTC) - created_at).total_seconds())
        reports = (await running.http.post("/reconcile", json={})).json()["items"]
        assert [report["expired"] for report in reports] == [[instance_id]]
        reached = await running.heard.until(instance_id, "LifetimeLimitReached")
        assert reached["data"]["instance"]["status"] == "draining"
        await ended(running, instance_id)


async def launched(running: Line, nats_url: str, **limits: int) -> str:
    """As the api does it, but for a limit of seconds: it takes none under a minute."""
    assert (await running.http.post("/models", json={"model": MODEL})).is_success
    requested = InstanceRequested(
        instance_id=uuid4(),
        occurred_at=datetime.now(UTC),
        specification=Wish(name="limited", model=MODEL, instance_types=(INSTANCE_TYPE,), **limits),
    )
    connection = await connect(nats_url, "somebody in a hurry")
    await Journal(connection, actor="test", source="/test").request(requested, intent_id=uuid4())
    await connection.close()
    return str(requested.instance_id)


async def asked_for(running: Line, seconds: float) -> datetime:
    """Ask it again and again for so long; when it has answered last."""
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        answer = await running.http.post("/v1/chat/completions", json=A_QUESTION, headers={"X-Wait-For-Ready": "20"})
        assert answer.status_code == 200, answer.text
    return datetime.now(UTC)


async def ended(running: Line, instance_id: str) -> None:
    """Drained, because nothing ran any more, and gone; nobody has asked for it."""
    drained = await running.heard.until(instance_id, "Drained")
    assert not drained["data"]["event"]["forced"]
    await running.heard.until(instance_id, "InstanceTerminated")
    assert not {"DrainRequested", "TerminationRequested"} & set(running.heard.types(instance_id))
    assert not await running.remaining()
