"""What a wake and a rollout cost those who ask, on a stack in the simulated cloud: `python -m benchmarks.wake`.

A deployment at zero is woken by a stream of OpenAI's client, again and again. The launch is from the instance's request
to InstanceReady, by its events; the wait lasts until the answer's first chunk; their difference is what waking, holding
and answering add. Then a change is rolled out under a constant load, of which every third request is a stream.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final

import openai
from openai import AsyncOpenAI

from coldstart.api_client import Api
from coldstart.demo import INSTANCE_TYPE, MODEL, alone
from coldstart.stack.files import Reach
from coldstart.stack.stack import stack
from shared.running import alongside
from simulator.scenario import Scenario

PATH: Final = "/deployments/bench"
WISH: Final[dict[str, Any]] = {
    "model": MODEL,
    "instance_types": [INSTANCE_TYPE],
    "min_replicas": 0,
    "max_replicas": 1,
    "target_in_flight": 1_000,
    "scale_to_zero_after": 0,
    "rollout": {"surge": 1, "settle": 5},
}
SETTLED_S: Final = 5.0
PATIENCE_S: Final = 120.0
STREAMED: Final = 3
REPLICAS: Final = 2
LOOK_S: Final = 0.2


async def asked(client: AsyncOpenAI, *, stream: bool) -> float:
    """Seconds to the answer, or to its first chunk; all of it is read. Raises openai.APIError."""
    began = time.monotonic()
    question: Any = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}], "stream": stream}
    answer = await client.chat.completions.create(**question)
    if not stream:
        return time.monotonic() - began
    first: float | None = None
    async for chunk in answer:
        if first is None and chunk.choices and chunk.choices[0].delta.content:
            first = time.monotonic() - began
    if first is None:
        raise openai.APIConnectionError(message="an empty stream", request=answer.response.request)
    return first


async def until(api: Api, like_that: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """The deployment's replicas once it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not like_that(shown := await asyncio.to_thread(api.get, PATH)):  # noqa: ASYNC110  the api is asked
            await asyncio.sleep(LOOK_S)
    return list(shown["replicas"])


def instance_of(replica: dict[str, Any]) -> str:
    return str(replica["instance_id"])


def asleep(shown: dict[str, Any]) -> bool:
    return not shown["wanted"] and all(each["leaving"] for each in shown["replicas"])


def all_ready(shown: dict[str, Any]) -> bool:
    return bool(len(shown["replicas"]) == shown["ready"] == REPLICAS)


def launched_in(api: Api, instance_id: str) -> float:
    shown = api.get(f"/instances/{instance_id}")
    ready, created = (datetime.fromisoformat(shown[each]) for each in ("ready_at", "created_at"))
    return (ready - created).total_seconds()


async def wake(api: Api, client: AsyncOpenAI) -> tuple[float, float]:
    """Seconds of the launch, and of the client's wait. It ends with the deployment at zero."""
    wait = await asked(client, stream=True)
    (replica,) = await until(api, asleep)
    launch = launched_in(api, replica["instance_id"])
    await asyncio.to_thread(api.delete, f"/instances/{replica['instance_id']}")  # a drain would wait for late routers
    await until(api, lambda shown: not shown["replicas"])
    return launch, wait


@asynccontextmanager
async def load(client: AsyncOpenAI, per_s: int, taken: list[float], failed: list[str]) -> AsyncGenerator[None]:
    """So many requests a second, whatever became of those before. At the end, every answer is awaited."""

    async def ask(number: int) -> None:
        try:
            taken.append(await asked(client, stream=number % STREAMED == 0))
        except openai.APIError as error:
            failed.append(repr(error))

    async with asyncio.TaskGroup() as requests:

        async def ask_on() -> None:
            began = time.monotonic()
            for number in count():
                requests.create_task(ask(number))
                await asyncio.sleep(max(0.0, began + (number + 1) / per_s - time.monotonic()))

        async with alongside(ask_on()):
            yield


async def roll_out(api: Api, client: AsyncOpenAI, per_s: int) -> None:
    stays = WISH | {"min_replicas": REPLICAS, "max_replicas": REPLICAS}
    taken, failed = list[float](), list[str]()
    await asyncio.to_thread(api.put, PATH, stays)
    former = set(map(instance_of, await until(api, all_ready)))
    began = time.monotonic()
    async with load(client, per_s, taken, failed):
        await asyncio.sleep(SETTLED_S)
        await asyncio.to_thread(api.put, PATH, stays | {"volume_gb": 300})
        await until(api, lambda shown: all_ready(shown) and former.isdisjoint(map(instance_of, shown["replicas"])))
        await asyncio.sleep(SETTLED_S)
    seconds = time.monotonic() - began
    print(
        f"rollout of {REPLICAS} replicas in {seconds - 2 * SETTLED_S:.1f} s under {len(taken) / seconds:.0f} requests/s"
    )
    print(f"{len(taken)} answered, {len(failed)} failed  (goal: 0)   {shown(taken)}", *failed[:3], sep="\n")


def shown(seconds: Sequence[float]) -> str:
    p50, p99 = (quantiles(seconds, n=100, method="inclusive")[percent - 1] for percent in (50, 99))
    return f"p50 {p50:.3f} s, p99 {p99:.3f} s"


async def measured(reach: Reach, wakes: int, per_s: int) -> None:
    client = AsyncOpenAI(base_url=f"{reach.api_url}/v1", api_key=reach.admin_key, max_retries=0, timeout=PATIENCE_S)
    with Api(reach.api_url, reach.admin_key) as api:
        await asyncio.to_thread(api.put, PATH, WISH)
        launches, waits = zip(*[await wake(api, client) for _ in range(wakes)], strict=True)
        more = [wait - launch for launch, wait in zip(launches, waits, strict=True)]
        print(f"{wakes} wakes\nlaunch      {shown(launches)}\nwait        {shown(waits)}")
        print(f"difference  {shown(more)}  (goal: under 0.5 s)", flush=True)
        await roll_out(api, client, per_s)
        await asyncio.to_thread(api.delete, PATH)
    await client.close()


async def main(wakes: int, per_s: int) -> None:
    with TemporaryDirectory() as folder:
        async with stack(alone(Path(folder)), simulated=True, scenario=Scenario().model_dump_json()) as running:
            await measured(running.reach, wakes, per_s)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wakes", type=int, default=20)
    parser.add_argument("--per-second", type=int, default=50)
    given = parser.parse_args()
    asyncio.run(main(given.wakes, given.per_second))
