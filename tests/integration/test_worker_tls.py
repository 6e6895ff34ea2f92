"""Who reaches a worker on the whole line."""

from pathlib import Path
from uuid import UUID

from shared.secrets import Secrets
from tests.integration.line import MASTER_SECRET, MODEL, Line, line
from tests.worker_tls.intruders import heard, insider, intruders

SECRETS = Secrets(MASTER_SECRET)


async def answered_to_intruders(running: Line, instance_id: str, attempt: int) -> list[str]:
    """Those to whom the worker speaks HTTP, though it must not."""
    address, port = (await running.show(instance_id))["ip_address"], running.settings.health.worker_port
    ours = await heard(address, port, insider(SECRETS, UUID(instance_id), attempt))
    assert ours.startswith(b"HTTP/1.1 200 OK")
    everybody = intruders(SECRETS, UUID(instance_id), attempt)
    return [name for name, context in everybody.items() if b"HTTP" in await heard(address, port, context)]


async def chatted(running: Line) -> int:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
    return (await running.http.post("/v1/chat/completions", json=body)).status_code


async def test_nobody_but_us_reaches_a_worker_nor_the_one_of_the_next_attempt(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url) as running:
        instance_id = await running.ready()
        assert await chatted(running) == 200
        assert await answered_to_intruders(running, instance_id, 1) == []
        assert (await running.http.post(f"/instances/{instance_id}/reinstall")).status_code == 202
        await running.heard.until(instance_id, "InstanceReady", count=2)
        assert await chatted(running) == 200
        assert await answered_to_intruders(running, instance_id, 2) == []


async def test_a_worker_without_tls_is_talked_to_as_its_attempt_says_whatever_else_is_set(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    changes = {"provisioner": {"worker_tls": "off"}}
    async with line(tmp_path, nats_url, database_url, changes=changes) as running:
        assert running.settings.health.worker_tls == running.settings.api.worker_tls == "mutual"
        instance_id = await running.ready()
        address = (await running.show(instance_id))["ip_address"]
        plain = await heard(address, running.settings.health.worker_port, None)
        assert plain.startswith(b"HTTP/1.1 200 OK")
        assert await chatted(running) == 200
