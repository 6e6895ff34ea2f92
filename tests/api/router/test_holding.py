"""Who waits for a deployment to wake, without a server: until when, and for which."""

import asyncio
import math
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest

from services.api.access.api_keys import ApiKey, Role
from services.api.router.refusal import Refusal
from services.api.router.tried import Tried
from services.api.router.waiting import heartbeat, hold_s
from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentEvent
from shared.lifecycle.fact import Action
from shared.lifecycle.instance import Instance
from tests.api.deployments import examples as x
from tests.api.deployments.examples import AT, a_deployment, after
from tests.api.router.desk import Desk, replica_of
from tests.api.stage import MODEL
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

ACME: Final = UUID(int=1)
CHAT = a_deployment()
STARTED = after(CHAT, x.scaled(), x.added())


def a_key(organization_id: UUID | None = None) -> ApiKey:
    return ApiKey(id=uuid4(), name="k", role=Role.USER, prefix="csk_", created_at=AT, organization_id=organization_id)


class Waiter:
    """`beats` are what it was told that it waits for."""

    def __init__(self, desk: Desk, key: ApiKey, tried: Tried | None = None) -> None:
        self.beats: asyncio.Queue[Instance | Deployment] = asyncio.Queue()
        self.task = asyncio.create_task(desk.waiting.until_ready(MODEL, key, tried or Tried(), 60, self._beat))

    async def _beat(self, awaited: Instance | Deployment) -> None:
        self.beats.put_nowait(awaited)

    async def beat(self) -> Instance | Deployment:
        async with asyncio.timeout(120):
            return await self.beats.get()

    async def done(self) -> UUID | None:
        """The deployment for which it has waited."""
        async with asyncio.timeout(120):
            return await self.task


@asynccontextmanager
async def waiting(desk: Desk, organization_id: UUID | None = None) -> AsyncGenerator[Waiter]:
    waiter = Waiter(desk, a_key(organization_id))
    try:
        yield waiter
    finally:
        waiter.task.cancel()


async def test_a_request_waits_from_nothing_to_ready_and_counts_as_held_meanwhile() -> None:
    desk = Desk()
    desk.knows(CHAT)
    async with waiting(desk) as waiter:
        assert await waiter.beat() == CHAT
        assert desk.counts.held(CHAT.id) == 1
        assert desk.counts.urgent.is_set()
        desk.knows(STARTED)
        assert await waiter.beat() == STARTED
        desk.knows(installing := replica_of(CHAT, h.an_installing_instance()))
        assert await waiter.beat() == installing
        desk.knows(replica_of(CHAT))
        assert await waiter.done() == CHAT.id
        assert desk.counts.held(CHAT.id) == 0


@pytest.mark.parametrize(
    "event", [x.paused(), x.deleted(), x.degraded(gave_up=True), x.refused()], ids=lambda event: event.type()
)
async def test_all_who_wait_hear_at_once_that_a_wake_fails(event: DeploymentEvent) -> None:
    desk = Desk()
    desk.knows(STARTED, replica_of(CHAT, h.an_installing_instance()))
    async with waiting(desk) as one, waiting(desk) as another:
        for waiter in (one, another):
            await waiter.beat()
        desk.knows(after(STARTED, event))
        assert await one.done() == await another.done() == CHAT.id


async def test_a_replica_that_failed_and_is_replaced_is_still_waited_for() -> None:
    desk = Desk()
    desk.knows(STARTED, replica_of(CHAT, h.an_installing_instance()))
    async with waiting(desk) as waiter:
        await waiter.beat()
        failed = f.startup_failed(code="worker_exited", message="It has no memory left.")
        desk.knows(replica_of(CHAT, (*h.an_installing_instance(), failed)))
        assert await waiter.beat() == STARTED


async def test_when_ones_own_deployment_fails_a_shared_one_wakes() -> None:
    own = a_deployment("own", organization_id=ACME)
    desk = Desk()
    desk.knows(CHAT, own)
    async with waiting(desk, ACME) as waiter:
        assert await waiter.beat() == own
        desk.knows(after(own, x.paused()))
        assert await waiter.beat() == CHAT
        assert (desk.counts.held(own.id), desk.counts.held(CHAT.id)) == (0, 1)


async def test_nobody_waits_for_another_organization_s_deployment() -> None:
    desk = Desk()
    desk.knows(a_deployment("own", organization_id=ACME))
    async with waiting(desk) as waiter:
        assert await waiter.done() is None


async def test_whoever_leaves_is_held_no_longer() -> None:
    desk = Desk()
    desk.knows(CHAT)
    async with waiting(desk) as waiter:
        await waiter.beat()
    await asyncio.wait([waiter.task])
    assert desk.counts.held(CHAT.id) == 0


async def test_who_finds_no_room_is_not_held() -> None:
    desk = Desk()
    desk.knows(CHAT)
    key = a_key()
    waiters = [Waiter(desk, key) for _ in range(10)]
    for waiter in waiters:
        await waiter.beat()
    with pytest.raises(Refusal) as refused:
        await Waiter(desk, key).done()
    assert refused.value.code == "too_many_waiting"
    assert desk.counts.held(CHAT.id) == 10
    for waiter in waiters:
        waiter.task.cancel()


@pytest.mark.parametrize(
    ("hold", "patience_s", "held"), [(600, math.inf, 600), (600, 60, 59), (30, 60, 30), (600, 0.5, 0)]
)
def test_a_client_that_tells_when_it_leaves_hears_the_answer_before(hold: int, patience_s: float, held: float) -> None:
    assert hold_s(hold, patience_s) == held


@pytest.mark.parametrize("replicas", [0, 1])
async def test_what_a_change_costs_does_not_grow_with_those_who_wait_times_the_deployments_of_their_model(
    replicas: int,
) -> None:
    """Counted in function calls."""
    waiters, few, many = 50, 10, 500
    in_all = [await calls_of_a_change(waiters, deployments, replicas) for deployments in (few, many)]
    assert in_all[1] - in_all[0] < 150 * (many - few), "once for all who wait"


async def calls_of_a_change(waiters: int, deployments: int, replicas: int) -> int:
    """All deployments but the last are paused, so that none of them wakes; each has so many replicas on their way."""
    desk = Desk(most_waiting=waiters)
    paused = [a_deployment(f"paused-{number}", x.paused()) for number in range(deployments)]
    desk.knows(CHAT, *paused)
    for deployment in paused[: deployments * replicas]:
        desk.knows(replica_of(deployment, h.an_installing_instance()))
    held = [Waiter(desk, a_key()) for _ in range(waiters)]
    for waiter in held:
        await waiter.beat()
    calls = 0

    def count(_frame: object, event: str, _: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        desk.knows(STARTED)
        for waiter in held:
            await waiter.beat()
    finally:
        sys.setprofile(None)
        for waiter in held:
            waiter.task.cancel()
    return calls


def test_a_comment_in_the_stream_names_the_deployment_that_wakes() -> None:
    assert heartbeat(CHAT, x.AT) == b": deployment chat is waking\n\n"


def test_a_comment_in_the_stream_names_what_delays_the_launch() -> None:
    again = x.AT + timedelta(seconds=30)
    delayed = f.action_delayed(action=Action.INSTALL, reason="it is locked", next_try_at=again)
    held_up = f.given(*h.an_installing_instance(), delayed)
    assert heartbeat(held_up, x.AT).endswith(b": it is locked (next try at 12:00:30 UTC)\n\n")
    failed = after(CHAT, x.scaled(), x.added(), x.replaced("no L4 in any zone", again))
    said = b": deployment chat is waking: no L4 in any zone (next try at 12:00:30 UTC)\n\n"
    assert heartbeat(failed, x.AT) == said
