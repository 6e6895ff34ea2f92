"""The simulated vLLM behind the router, asked by the unmodified clients: every path, what it costs, a dead engine."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx
import openai
import pytest
from anthropic import AsyncAnthropic
from litestar.types import ASGIApp
from openai import AsyncOpenAI

from services.api.http.front.limits import ClientLimits
from services.api.http.server import serving
from shared.secrets import Secrets
from simulator.host.worker.app import Worker
from simulator.host.worker.arguments import parse
from simulator.host.worker.log import Log
from simulator.host.worker.version import version_of
from tests.api.fakes import loopback_address
from tests.api.router.test_inference import catalogued
from tests.api.router.test_metering import summed
from tests.api.stage import EMBEDDING_MODEL, MASTER_SECRET, MODEL, PATIENCE_S, RunningApi, Stage, until

HELLO: list[Any] = [{"role": "user", "content": "hello"}]


@dataclass
class Line:
    """One worker that generates, one that embeds, and a key for both."""

    api: RunningApi
    generating: Worker
    key: str

    @property
    def openai(self) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{self.api.url}/v1", api_key=self.key, max_retries=0)

    @property
    def anthropic(self) -> AsyncAnthropic:
        return AsyncAnthropic(base_url=self.api.url, api_key=self.key, max_retries=0)

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        async with self.api.as_(self.key) as client:
            answer = await client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture
async def line(stage: Stage) -> AsyncGenerator[Line]:
    async with AsyncExitStack() as stack:
        api = await stage.api(usage_write_seconds=0.02, breaker_pause_seconds=PATIENCE_S)
        generating = await stack.enter_async_context(simulated(stage, MODEL))
        await stack.enter_async_context(simulated(stage, EMBEDDING_MODEL, task="embed"))
        for model in (MODEL, EMBEDDING_MODEL):
            await catalogued(api, model)
            await routed(api, model)
        yield Line(api, generating, await api.user_key())


@asynccontextmanager
async def simulated(stage: Stage, model: str, **specification: Any) -> AsyncGenerator[Worker]:
    address = loopback_address()
    instance = await stage.ready(address, model=model, **specification)
    version = version_of("vllm/vllm-openai:v0.32.0")
    key = Secrets(MASTER_SECRET).worker_api_key(instance.id, 1)
    worker = Worker(parse((model,), {"VLLM_API_KEY": key}, version), Log(version))
    app = cast("ASGIApp", worker)
    async with serving(app, address, stage.worker_port, limits=ClientLimits(), grace_s=1, on_leaving=lambda: None):
        yield worker


async def routed(api: RunningApi, model: str) -> None:
    async def known() -> bool:
        explained: dict[str, Any] = (await api.client.get("/models/resolve", params={"model": model})).json()
        return [one["eligible"] for one in explained["instances"]] == [True]

    await until(known)


async def test_every_path_is_served_and_costs_what_its_client_was_told(line: Line) -> None:
    told: list[tuple[int, int]] = []
    async with line.openai as client:
        response = await client.responses.create(model=MODEL, input="hello")
        assert response.usage
        told.append((response.usage.input_tokens, response.usage.output_tokens))
        stream = await client.responses.create(model=MODEL, input="hello", stream=True)
        last = [event async for event in stream][-1]
        assert last.type in {"response.completed", "response.incomplete"}
        assert last.response.usage
        told.append((last.response.usage.input_tokens, last.response.usage.output_tokens))
    async with line.anthropic as client:
        message = await client.messages.create(model=MODEL, messages=HELLO, max_tokens=8)
        told.append((message.usage.input_tokens, message.usage.output_tokens))
        async with client.messages.stream(model=MODEL, messages=HELLO, max_tokens=8) as streamed:
            usage = (await streamed.get_final_message()).usage
        told.append((usage.input_tokens, usage.output_tokens))
        assert (await client.messages.count_tokens(model=MODEL, messages=HELLO)).input_tokens == told[-1][0]
    assert all(prompt and completion for prompt, completion in told)
    tokens = (await line.post("/tokenize", model=MODEL, prompt="hello"))["tokens"]
    assert (await line.post("/detokenize", model=MODEL, tokens=tokens))["prompt"]
    ranked = await line.post("/v1/rerank", model=EMBEDDING_MODEL, query="hello", documents=["hello", "bye"])
    scored = await line.post("/v1/score", model=EMBEDDING_MODEL, text_1="hello", text_2=["hello", "bye"])
    assert len(ranked["results"]) == len(scored["data"]) == 2
    used = {item["model"]: item for item in await summed(line.api, 9, "model")}
    assert used[MODEL]["prompt_tokens"] == sum(prompt for prompt, _ in told)
    assert used[MODEL]["completion_tokens"] == sum(completion for _, completion in told)
    embedded = sum(answer["usage"]["prompt_tokens"] for answer in (ranked, scored))
    assert used[EMBEDDING_MODEL]["prompt_tokens"] == embedded > 0
    assert used[MODEL]["requests_untold"] == used[EMBEDDING_MODEL]["requests_untold"] == 0


async def test_a_worker_whose_engine_is_dead_is_set_aside_after_its_first_answer(line: Line) -> None:
    line.generating.engine.dead = True
    async with line.openai as client:
        with pytest.raises(openai.InternalServerError) as dead:
            await client.chat.completions.create(model=MODEL, messages=HELLO)
    assert dead.value.status_code == 500

    async def set_aside() -> bool:
        answer: httpx.Response = await line.api.client.get("/models/resolve", params={"model": MODEL})
        return [one["breaker"] for one in answer.json()["instances"]] == ["open"]

    await until(set_aside)
