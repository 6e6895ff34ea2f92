"""A request whose worker died before its answer began waits for another replica, if its deployment lives."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from shared.deployments import decide
from shared.lifecycle.instance import Instance
from tests.api.fakes import FakeWorker, a_worker, loopback_address
from tests.api.router.scene import drops
from tests.api.router.sleeping import Sleeping, asleep
from tests.api.router.test_waking import answered, asking, waiting
from tests.api.stage import MODEL, RunningApi, Stage, until
from tests.lifecycle import facts

CALM: dict[str, Any] = {"breaker_failures": 1_000}


async def dies(request: web.Request) -> web.StreamResponse:
    """It drops all that it gets, also the question about its health."""
    return await drops(request)


async def drops_one(request: web.Request) -> web.StreamResponse:
    return web.Response() if request.path == "/health" else await drops(request)


def asked(worker: FakeWorker) -> int:
    return sum(seen.path != "/health" for seen in worker.seen)


async def serving(stage: Stage, api: RunningApi, address: str, **scaling: Any) -> tuple[Sleeping, Instance]:
    """A deployment with one replica at this address, which the router takes for ready."""
    deployment = await asleep(stage, api, **scaling)
    await deployment.scaled_up()
    replica = await deployment.ready(address)
    await deployment.known(wakes=False)
    return deployment, replica


async def a_dying_one(stage: Stage, api: RunningApi, **scaling: Any) -> tuple[FakeWorker, Sleeping, Instance]:
    worker = await stage.worker()
    worker.answer = dies
    return worker, *await serving(stage, api, worker.address, **scaling)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_whose_only_worker_died_is_answered_by_the_one_that_replaces_it(
    stage: Stage, stream: bool
) -> None:
    api = await stage.api(**CALM)
    dying, *_ = await a_dying_one(stage, api)
    held, other = asking(api, stream=stream), await stage.worker()
    await waiting(api, 1)
    replacement = await stage.ready(other.address)
    answer = await answered(held)
    assert answer.status_code == 200
    assert "Pa" in answer.text
    if stream:
        assert answer.text.startswith(": deployment chat is waking\n\n")
    else:
        assert answer.headers["x-coldstart-instance"] == str(replacement.id)
    assert (asked(dying), asked(other)) == (1, 1)


@pytest.mark.parametrize(
    ("headers", "scaling"), [({"X-Wait-For-Ready": "0"}, {}), ({}, {"hold": 0})], ids=["its client", "its deployment"]
)
async def test_one_that_does_not_wait_is_told_at_once_that_its_worker_failed(
    stage: Stage, headers: dict[str, str], scaling: dict[str, Any]
) -> None:
    api = await stage.api(**CALM)
    await a_dying_one(stage, api, **scaling)
    refused = await answered(asking(api, headers))
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "worker_failed")


async def test_when_the_time_is_over_the_answer_is_what_it_would_have_been_at_once(stage: Stage) -> None:
    api = await stage.api(**CALM)
    dying, *_ = await a_dying_one(stage, api)
    refused = await answered(asking(api, {"X-Wait-For-Ready": "0.05"}))
    assert (refused.status_code, refused.json()["error"]["code"], asked(dying)) == (502, "worker_failed", 1)


async def test_nobody_waits_while_the_worker_is_well_or_no_deployment_brings_another(stage: Stage) -> None:
    api = await stage.api(**CALM)
    worker, deployment, _ = await a_dying_one(stage, api)
    worker.answer = drops_one
    assert (await answered(asking(api))).status_code == 502, "it dropped this request, and lives"
    worker.answer = dies
    held = asking(api)
    await waiting(api, 1)
    await deployment.intend(decide.pause)
    assert (await answered(held)).status_code == 502, "it was paused meanwhile"
    assert (await answered(asking(api))).status_code == 502, "it is paused"


async def lost_and_restored(stage: Stage, deployment: Sleeping, replica: Instance, well: Callable[[], None]) -> None:
    await stage.happened(facts.health_lost(), instance_id=replica.id)
    await deployment.known(wakes=True)
    well()
    restored = facts.health_restored(occurred_at=replica.status_since + timedelta(minutes=1))
    await stage.happened(restored, instance_id=replica.id)


async def test_a_worker_that_may_have_read_it_does_not_get_it_again_when_it_is_back(stage: Stage) -> None:
    api = await stage.api(**CALM)
    worker, deployment, replica = await a_dying_one(stage, api)
    held = asking(api)
    await waiting(api, 1)
    well = (await stage.worker()).answer
    await lost_and_restored(stage, deployment, replica, lambda: setattr(worker, "answer", well))
    assert (await answered(held)).status_code == 502
    assert asked(worker) == 1


async def test_a_worker_that_could_not_be_reached_gets_it_when_it_is_back(stage: Stage) -> None:
    api, address = await stage.api(**CALM), loopback_address()
    deployment, replica = await serving(stage, api, address)
    held = asking(api)
    await waiting(api, 1)
    worker = await stage.stack.enter_async_context(a_worker(stage.worker_port, address))
    await lost_and_restored(stage, deployment, replica, lambda: None)
    assert ((await answered(held)).status_code, asked(worker)) == (200, 1)


async def test_at_most_three_workers_get_it_in_all(stage: Stage) -> None:
    api = await stage.api(**CALM)
    workers = [await stage.worker() for _ in range(4)]
    for worker in workers:
        worker.answer = dies
    await serving(stage, api, workers[0].address)
    held = asking(api)
    await waiting(api, 1)
    gate = asyncio.Event()

    async def when_all_are_there(request: web.Request) -> web.StreamResponse:
        await gate.wait()
        return await dies(request)

    for worker in workers[1:]:
        worker.answer = when_all_are_there
        await stage.ready(worker.address)

    async def all_known() -> bool:
        explained = await api.client.get("/models/resolve", params={"model": MODEL})
        return len(explained.json()["instances"]) == len(workers)

    await until(all_known)
    gate.set()
    assert (await answered(held)).status_code == 502
    assert sum(map(asked, workers)) == 3
