"""The unmodified client of OpenAI, against the router."""

import openai
import pytest
from openai import AsyncOpenAI

from tests.api.stage import EMBEDDING_MODEL, MODEL, RunningApi, Stage, until
from tests.api.test_inference import catalogued


def client_of(api: RunningApi, key: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{api.url}/v1", api_key=key, max_retries=0)


async def test_chat_stream_completions_embeddings_and_models_work(stage: Stage) -> None:
    api, worker, embedder = await stage.api(), await stage.worker(), await stage.worker()
    await catalogued(api)
    await catalogued(api, EMBEDDING_MODEL)
    await stage.ready(worker.address)
    await stage.ready(embedder.address, model=EMBEDDING_MODEL, task="embed")
    await api.routes()
    async with client_of(api, await api.user_key()) as client:
        chat = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hello"}])
        assert chat.choices[0].message.content == "Paris."

        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hello"}], stream=True
        )
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "Paris."

        assert (await client.completions.create(model=MODEL, prompt="The capital is")).choices[0].text == " Paris"

        async def embeds() -> bool:
            try:
                made = await client.embeddings.create(model=EMBEDDING_MODEL, input="hello", encoding_format="float")
            except openai.InternalServerError:
                return False
            return made.data[0].embedding == [0.25, -0.5]

        await until(embeds)
        assert {model.id async for model in client.models.list()} == {MODEL, EMBEDDING_MODEL}
        assert (await client.models.retrieve(MODEL)).owned_by == "Qwen"


async def test_its_errors_are_those_that_it_raises_for_openai(stage: Stage) -> None:
    api = await stage.api()
    await catalogued(api)
    async with client_of(api, "wrong") as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.models.list()
    async with client_of(api, await api.user_key()) as client:
        with pytest.raises(openai.NotFoundError) as not_found:
            await client.chat.completions.create(model="nobody/nothing", messages=[])
        assert (not_found.value.code, not_found.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.BadRequestError) as mismatch:
            await client.embeddings.create(model=MODEL, input="x")
        assert mismatch.value.code == "model_task_mismatch"
        with pytest.raises(openai.InternalServerError) as not_ready:
            await client.chat.completions.create(model=MODEL, messages=[])
        assert (not_ready.value.status_code, not_ready.value.code) == (503, "model_not_ready")
