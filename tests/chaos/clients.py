"""Those who use the cluster meanwhile: people who launch and terminate, and applications that ask models."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import httpx

from shared.lifecycle.status import FAILURES, Status
from tests.chaos.world import World
from tests.integration.line import ADMIN_KEY, INSTANCE_TYPE, MODEL
from tests.loopback import NO_AUTHORITIES

POOL: Final = 3
"""So many instances are kept ready for those who ask."""
CHURN: Final = 3
"""So many more are launched and terminated all the time."""
DEPLOYMENT: Final = "steady"
MOST_REPLICAS: Final = 2
SURGE: Final = 1
CHANGED_S: Final = 8.0
"""How often the deployment gets another minimum."""
ASKERS: Final = 8
PATIENCE_S: Final = 180.0
PAUSE_S: Final = 0.3
ENDED: Final = frozenset(FAILURES | {Status.TERMINATED})
WITHIN_THE_CONTRACT: Final = frozenset(
    {
        (502, "worker_failed"),
        (502, "worker_refused"),
        (503, "events_not_recorded"),
        (503, "model_not_ready"),
        (503, "routes_stale"),
        (503, "starting"),
        (503, "stopping"),
        (503, "worker_unreachable"),
    }
)
"""docs/routing.md: what a client may be told, and asks again after."""
BROKEN_OFF: Final = frozenset({"worker_failed", "stopping"})
"""An error event in a stream: docs/routing.md."""


@dataclass
class Outcome:
    """What the clients saw. `wrong` holds what the contract does not have, in words."""

    served: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    answered: list[tuple[float, float]] = field(default_factory=list)
    """Of each inference, when it began and when it was answered, by the event loop's clock."""
    launched: list[str] = field(default_factory=list)
    became: Counter[str] = field(default_factory=Counter)


class Clients:
    """Each asks one api after the other, as a load balancer would."""

    def __init__(self, world: World, http: tuple[httpx.AsyncClient, ...]) -> None:
        self.world = world
        self.outcome = Outcome()
        self.stopping = asyncio.Event()
        self._http = http
        self._turn = 0

    async def inferences(self, count: int, *, over_s: float) -> None:
        """So many, spread evenly over this time and over those who ask."""
        left = iter(range(count))
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def ask() -> None:
            for number in left:
                await asyncio.sleep(began + over_s * number / count - loop.time())
                await self._inference(number)

        await asyncio.gather(*(ask() for _ in range(ASKERS)))

    async def _inference(self, number: int) -> None:
        streamed = number % 3 == 0
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() < began + PATIENCE_S:
            api, url = self._next()
            asked_at = loop.time()
            try:
                done = await (self._stream(api, number) if streamed else self._answer(api, number))
            except httpx.HTTPError as error:
                if not self._excused(url, asked_at):
                    self.outcome.wrong.append(f"{number}: {error!r} from {url}, which nothing had struck")
                self.outcome.again[f"the api was struck: {type(error).__name__}"] += 1
                done = False
            if done:
                self.outcome.served["streamed" if streamed else "answered"] += 1
                self.outcome.answered.append((began, loop.time()))
                return
            await asyncio.sleep(PAUSE_S)
        self.outcome.wrong.append(f"{number}: not served within {PATIENCE_S:g} s")

    def _next(self) -> tuple[httpx.AsyncClient, int]:
        self._turn += 1
        which = self._turn % len(self._http)
        return self._http[which], which

    def _excused(self, which: int, asked_at: float) -> bool:
        """Whether this api's process was struck since the request, or is being started again."""
        replica = self.world.apis()[which]
        return not replica.forked.is_serving or any(at >= asked_at - 1.0 for at in replica.struck_at)

    async def _answer(self, api: httpx.AsyncClient, number: int) -> bool:
        answer = await api.post("/v1/chat/completions", json=_question(number, stream=False))
        if answer.status_code == httpx.codes.OK:
            return self._complete(number, answer.json()["choices"][0]["message"]["content"])
        return self._refused(number, answer)

    def _complete(self, number: int, text: str) -> bool:
        if f"number {number}." not in text:
            self.outcome.wrong.append(f"{number}: another request's answer, {text[:80]!r}")
        return True

    def _refused(self, number: int, answer: httpx.Response) -> bool:
        code = answer.json().get("error", {}).get("code") if "json" in answer.headers.get("content-type", "") else None
        if (answer.status_code, code) not in WITHIN_THE_CONTRACT:
            self.outcome.wrong.append(f"{number}: {answer.status_code} {answer.text[:200]}")
        self.outcome.again[f"{answer.status_code} {code}"] += 1
        return False

    async def _stream(self, api: httpx.AsyncClient, number: int) -> bool:
        text = ""
        async with api.stream("POST", "/v1/chat/completions", json=_question(number, stream=True)) as answer:
            if answer.status_code != httpx.codes.OK:
                await answer.aread()
                return self._refused(number, answer)
            async for line in answer.aiter_lines():
                data = line.removeprefix("data: ")
                if data == line or not data:
                    continue
                if data == "[DONE]":
                    return self._complete(number, text)
                event = json.loads(data)
                if "error" in event:
                    code = event["error"].get("code")
                    if code not in BROKEN_OFF:
                        self.outcome.wrong.append(f"{number}: an error event, {data[:200]}")
                    self.outcome.again[f"error event {code}"] += 1
                    return False
                text += "".join(choice["delta"].get("content") or "" for choice in event["choices"])
        self.outcome.wrong.append(f"{number}: a stream ended without [DONE] and without an error event")
        return False

    async def launches(self) -> None:
        """The pool, kept full, the churn, and a deployment, until `stopping`; then all of them are ended."""
        users = (*(self._keep() for _ in range(POOL)), *(self._churn() for _ in range(CHURN)), self._deployment())
        await asyncio.gather(*users)

    async def pool_is_ready(self) -> None:
        while len([each for each in await self._instances() if each["status"] == Status.READY]) < POOL:  # noqa: ASYNC110
            await asyncio.sleep(PAUSE_S)

    async def living(self) -> dict[str, str]:
        return {each["id"]: each["status"] for each in await self._instances() if each["status"] not in ENDED}

    async def shown(self, instance_id: str) -> str:
        """As a person would look at it."""
        instance = await self._asked("GET", f"/instances/{instance_id}")
        api, _ = self._next()
        log = await api.get(f"/instances/{instance_id}/logs", params={"source": "worker"})
        told = (instance["step"], instance["where"], instance["delay"])
        return f"{instance_id}: {told}; its worker: {log.text[:1500]} … {log.text[-300:]}"

    async def reconcile(self) -> None:
        await self._asked("POST", "/reconcile", {})

    async def _keep(self) -> None:
        while not self.stopping.is_set():
            instance_id = await self._launched()
            await self._until(instance_id, ENDED, also=self.stopping)
            await self._ended(instance_id)

    async def _churn(self) -> None:
        while not self.stopping.is_set():
            instance_id = await self._launched()
            await self._until(instance_id, ENDED | {Status.READY})
            await self._ended(instance_id)

    async def _deployment(self) -> None:
        """Now one replica, now two; and none of it is left in the end."""
        path = f"/deployments/{DEPLOYMENT}"
        wish = {"model": MODEL, "instance_types": [INSTANCE_TYPE], "max_replicas": MOST_REPLICAS, "scale_down_after": 0}
        rollout = {"surge": SURGE, "settle": 0}
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            await self._asked("PUT", path, {**wish, "min_replicas": 1 + turn % MOST_REPLICAS, "rollout": rollout})
            with suppress(TimeoutError):
                async with asyncio.timeout(CHANGED_S):
                    await self.stopping.wait()
        await self._asked("DELETE", path, accepted=frozenset({httpx.codes.NOT_FOUND}))  # an answer may be lost

    async def _launched(self) -> str:
        key = {"Idempotency-Key": str(uuid4())}
        body = {"model": MODEL, "instance_types": [INSTANCE_TYPE]}
        answer = await self._asked("POST", "/instances", body, key)
        self.outcome.launched.append(answer["id"])
        return str(answer["id"])

    async def _ended(self, instance_id: str) -> None:
        """By us, unless it has failed. Only an instance whose machine was deleted may fail."""
        if (await self._asked("GET", f"/instances/{instance_id}"))["status"] not in ENDED:
            await self._asked("DELETE", f"/instances/{instance_id}")
        instance = await self._until(instance_id, ENDED)
        self.outcome.became[instance["status"]] += 1
        if instance["status"] in FAILURES and instance_id not in self.world.lost:
            self.outcome.wrong.append(f"instance {instance_id} failed: {instance['error']}")

    async def _until(
        self, instance_id: str, statuses: frozenset[str], *, also: asyncio.Event | None = None
    ) -> dict[str, Any]:
        while True:
            instance = await self._asked("GET", f"/instances/{instance_id}")
            if instance["status"] in statuses or (also is not None and also.is_set()):
                return instance
            await asyncio.sleep(PAUSE_S)

    async def _instances(self) -> list[dict[str, Any]]:
        return list((await self._asked("GET", "/instances"))["items"])

    async def _asked(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        *,
        accepted: frozenset[int] = frozenset(),
    ) -> dict[str, Any]:
        """Asked again until an api answers. What is no refusal of the moment is wrong, and ends the run."""
        while True:
            api, which = self._next()
            asked_at = asyncio.get_running_loop().time()
            try:
                answer = await api.request(method, path, json=body, headers=headers)
            except httpx.HTTPError as error:
                if not self._excused(which, asked_at):
                    self.outcome.wrong.append(f"{method} {path}: {error!r}, and nothing had struck the api")
                await asyncio.sleep(PAUSE_S)
                continue
            if answer.is_success or answer.status_code in accepted:
                return dict(answer.json()) if answer.content else {}
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            self.outcome.again[f"{method}: 503 {answer.json().get('code')}"] += 1
            await asyncio.sleep(PAUSE_S)


def _question(number: int, *, stream: bool) -> dict[str, Any]:
    text = f"Say the number {number}."
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "stream": stream}


@asynccontextmanager
async def clients(world: World) -> AsyncGenerator[Clients]:
    key = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with (
        httpx.AsyncClient(base_url=world.api_urls[0], headers=key, timeout=20.0, verify=NO_AUTHORITIES) as first,
        httpx.AsyncClient(base_url=world.api_urls[1], headers=key, timeout=20.0, verify=NO_AUTHORITIES) as second,
    ):
        yield Clients(world, (first, second))
