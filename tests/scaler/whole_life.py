"""The whole life of a deployment on the line, led over HTTP by somebody who asks again until an answer comes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import httpx
from nats.aio.client import Client

from services.progress.app import verify_once
from shared.bus.connection import connect
from shared.deployments.errors import DeploymentUnknown
from shared.deployments.events import deployment_id
from shared.journal.deployments import DeploymentJournal
from shared.journal.errors import JournalUnavailable
from shared.journal.journal import Journal
from shared.journal.streams import LIFECYCLE
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from tests.integration.books import holds_only
from tests.integration.line import INSTANCE_TYPE, MODEL, PATIENCE_S, Changes, Line
from tests.integration.stream import every_event_once_all_is_over
from tests.scaler.deployed import AT_ONCE, NAME
from tests.scaler.laws import broken_laws

ID: Final = deployment_id(NAME, None)
WISH: Final[dict[str, Any]] = {
    "model": MODEL,
    "instance_types": [INSTANCE_TYPE],
    "min_replicas": 2,
    "max_replicas": 2,
    "rollout": {"surge": 1, "settle": 0},
    **AT_ONCE,
}
LEASE: Final = {"lease_seconds": 2.0}
SWIFT: Final[Changes] = {
    "progress": LEASE,
    "health": LEASE,
    "api": LEASE,
    "scaler": {**LEASE, "launch_answer_seconds": 2.0, "launch_longest_retry_seconds": 0.2},
    "provisioner": {
        **LEASE,
        "call_timeout_seconds": 0.6,
        "settle_seconds": 1.2,
        "reconcile_seconds": 0.5,
        "lost_after_seconds": 0.3,
    },
}
MOST: Final = 3
"""The maximum and the surge."""
PAUSE_S: Final = 0.1
AGAIN: Final = frozenset({httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE})


@dataclass
class Life:
    """`between`: awaited after each stage, with the sequence of the last event."""

    running: Line
    connection: Client
    journal: Journal
    deployments: DeploymentJournal
    between: Callable[[int], Awaitable[None]] | None

    async def led(self) -> None:
        """Two replicas, one of which is lost; a rollout; one less; a pause; none, woken by a request; and the end."""
        await self.asked("PUT", json=WISH)
        lost, _ = await self.settled(2)
        await self._lose(lost)
        await self.settled(2)
        await self.asked("PUT", json={**WISH, "volume_gb": 300})
        await self.settled(2, revision=2)
        await self.asked("POST", "/scale", json={"min_replicas": 1})
        await self.settled(1, revision=2)
        await self.asked("POST", "/pause")
        await self.settled(0)
        await self.asked("POST", "/resume")
        await self.settled(1, revision=2)
        await self.asked("POST", "/scale", json={"min_replicas": 0})
        await self.settled(0)
        await self._woken()
        await self.asked("DELETE")
        await self.settled(0)

    async def broken(self) -> list[str]:
        """What does not hold at its end, in words."""
        events = await every_event_once_all_is_over(self.connection, PATIENCE_S)
        verdict = await verify_once(self.running.settings.progress)
        letters = (await self.connection.jetstream().stream_info("DEAD_LETTERS")).state.messages
        said = [*broken_laws(events, MOST), *verdict.differences, *(str(each) for each in verdict.unreadable)]
        said += [f"left, and billed: {left}"] if (left := await self.running.remaining()) else []
        return [*said, f"{letters} dead letters"] if letters else said

    async def asked(self, method: str, path: str = "", **what: Any) -> dict[str, Any]:
        """A deletion whose answer was lost has been recorded: then there is none any more."""
        answer = await self._answered(method, f"/deployments/{NAME}{path}", **what)
        lost = method == "DELETE" and answer.status_code == httpx.codes.NOT_FOUND
        assert answer.is_success or lost, answer.text
        return dict(answer.json())

    async def settled(self, replicas: int, *, revision: int = 1) -> list[Instance]:
        """Once exactly so many are there, all of them ready, and the account holds what is theirs and nothing else."""
        found = await self._once_exactly(replicas, revision)
        if self.between is not None:
            await self.between((await self.connection.jetstream().stream_info(LIFECYCLE)).state.last_seq)
        return found

    async def _once_exactly(self, replicas: int, revision: int) -> list[Instance]:
        wrong: Exception | None = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        return await self._exactly(replicas, revision)
                    except (AssertionError, DeploymentUnknown, InstanceUnknown, JournalUnavailable) as error:
                        wrong = error
                    await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            raise AssertionError(f"not {replicas} of revision {revision}: {wrong!r}") from wrong

    async def _exactly(self, replicas: int, revision: int) -> list[Instance]:
        deployment = await self.deployments.load(ID)
        instances = [await self.journal.load(each.instance_id) for each in deployment.replicas]
        assert [each.status for each in instances] == [Status.READY] * replicas
        assert [each.revision for each in deployment.staying] == [revision] * replicas
        assert (deployment.wanted, deployment.rollout) == (replicas, None)
        resources = {str(each.id): each.resources.model_dump(mode="json") for each in instances}
        await holds_only(self.running, resources)
        return instances

    async def _lose(self, instance: Instance) -> None:
        """Somebody deletes its server at the provider."""
        answer = await self.running.control.post(f"servers/{instance.resources.server_id}/kill", timeout=PATIENCE_S)
        assert answer.is_success, answer.text

    async def _woken(self) -> None:
        message = {"role": "user", "content": "hello"}
        answer = await self._answered("POST", "/v1/chat/completions", json={"model": MODEL, "messages": [message]})
        assert "hello" in answer.text

    async def _answered(self, method: str, path: str, **what: Any) -> httpx.Response:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(httpx.TransportError):  # it was killed, and is being started again
                    answer = await self.running.http.request(method, path, **what)
                    if answer.status_code not in AGAIN:
                        return answer
                await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def a_life(
    running: Line, nats_url: str, between: Callable[[int], Awaitable[None]] | None = None
) -> AsyncGenerator[Life]:
    connection = await connect(nats_url, "a life")
    try:
        journal = Journal(connection, actor="test", source="/test")
        deployments = DeploymentJournal(connection, actor="test", source="/test")
        yield Life(running, connection, journal, deployments, between)
    finally:
        await connection.close()
