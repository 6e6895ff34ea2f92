"""The worker as its clients see it: OpenAI's own client, plain HTTP, and the log."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import openai
import psutil
import pytest

from simulator.host import processes
from simulator.host.containers import new_id
from simulator.host.disk import Container
from simulator.scenario import Scenario
from tests.simulator.host.machines import QUICK, WORKER_PORT, Machine, booted, eventually

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
LARGE = "Qwen/Qwen2.5-72B-Instruct"
KEY = "a-key"


@asynccontextmanager
async def serving(
    folder: Path,
    *arguments: str,
    scenario: Scenario = QUICK,
    environment: Mapping[str, str] | None = None,
    version: str = "0.32.0",
    cache: Path | None = None,
) -> AsyncIterator[Machine]:
    """A machine with one worker, begun but perhaps not ready."""
    async with booted(folder, scenario) as machine:
        machine.host.containers.run(Container(
            id=new_id(), name="worker", image=f"vllm/vllm-openai:v{version}", restarts=True, created_at=time.time(),
            arguments=arguments or ("--model", MODEL, "--port", str(WORKER_PORT)), host_port=WORKER_PORT,
            environment=dict(environment or {"VLLM_API_KEY": KEY}), container_port=WORKER_PORT,
            cache=cache,
        ))  # fmt: skip
        yield machine


async def health_of(machine: Machine) -> int | None:
    async with aiohttp.ClientSession() as http:
        try:
            async with http.get(machine.url("/health")) as response:
                return response.status
        except aiohttp.ClientConnectionError:
            return None


@asynccontextmanager
async def client_of(machine: Machine) -> AsyncIterator[openai.AsyncOpenAI]:
    await eventually(lambda: health_of(machine))
    async with openai.AsyncOpenAI(base_url=machine.url("/v1"), api_key=KEY, max_retries=0) as client:
        yield client


def log_of(machine: Machine) -> str:
    path = machine.host.disk.log_of(machine.host.disk.contents.containers["worker"])
    return path.read_bytes().decode() if path.exists() else ""


async def test_the_port_is_closed_until_the_model_is_loaded(tmp_path: Path) -> None:
    scenario = QUICK.model_copy(update={"worker_start": 0.1, "model_load": 0.9})
    async with serving(tmp_path, scenario=scenario) as machine:
        begun = time.monotonic()
        assert await health_of(machine) is None
        assert await eventually(lambda: health_of(machine)) == 200
        assert time.monotonic() - begun >= 1.0


async def test_a_chat_is_answered_whole_and_streamed_the_same(tmp_path: Path) -> None:
    async with serving(tmp_path) as machine, client_of(machine) as client:
        whole = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "How far?"}])
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "How far?"}], stream=True,
            stream_options={"include_usage": True},
        )  # fmt: skip
        chunks = [chunk async for chunk in stream]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert whole.choices[0].message.content == text
        assert "How far?" in text
        assert chunks[0].choices[0].delta.role == "assistant"
        assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
        assert chunks[-2].choices[0].delta.content
        assert chunks[-1].choices == []
        assert chunks[-1].usage == whole.usage


async def test_a_stream_ends_with_done(tmp_path: Path) -> None:
    body = {"model": MODEL, "prompt": "Once", "stream": True, "max_tokens": 2}
    async with serving(tmp_path) as machine, client_of(machine), aiohttp.ClientSession() as http:
        async with http.post(
            machine.url("/v1/completions"), json=body, headers={"Authorization": f"Bearer {KEY}"}
        ) as response:
            events = (await response.text()).split("\n\n")
        assert response.content_type == "text/event-stream"
        assert events[-2:] == ["data: [DONE]", ""]
        assert '"finish_reason": "length"' in events[-3]


async def test_a_limit_cuts_the_answer_and_ignore_eos_fills_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as machine, client_of(machine) as client:
        messages = [{"role": "user", "content": "Go on"}]
        cut = await client.chat.completions.create(model=MODEL, messages=messages, max_tokens=1)  # type: ignore[arg-type]
        long = await client.completions.create(
            model=MODEL, prompt="Go on", max_tokens=100, extra_body={"ignore_eos": True}
        )
        assert (cut.choices[0].finish_reason, cut.usage and cut.usage.completion_tokens) == ("length", 1)
        assert (long.choices[0].finish_reason, long.usage and long.usage.completion_tokens) == ("length", 100)


async def test_an_embedding_is_of_unit_length_and_depends_on_the_text(tmp_path: Path) -> None:
    async with serving(tmp_path, "--model", "BAAI/bge-small-en-v1.5") as machine, client_of(machine) as client:
        both = await client.embeddings.create(model="BAAI/bge-small-en-v1.5", input=["one", "two"])
        again = await client.embeddings.create(
            model="BAAI/bge-small-en-v1.5", input="one", encoding_format="float"
        )  # fmt: skip
        first, second = (item.embedding for item in both.data)
        assert sum(value * value for value in first) == pytest.approx(1.0)
        assert first == pytest.approx(again.data[0].embedding, abs=1e-6)
        assert first != second


async def test_what_cannot_be_served_is_refused_in_openais_shape(tmp_path: Path) -> None:
    async with serving(tmp_path) as machine, client_of(machine) as client:
        with pytest.raises(openai.NotFoundError, match=r"The model `x` does not exist\."):
            await client.chat.completions.create(model="x", messages=[{"role": "user", "content": "?"}])
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="another").models.list()
        assert [model.id async for model in client.models.list()] == [MODEL]


async def test_the_metrics_count_a_request_while_it_runs(tmp_path: Path) -> None:
    async def running(machine: Machine) -> float:
        async with aiohttp.ClientSession() as http, http.get(machine.url("/metrics")) as response:
            lines = (await response.text()).splitlines()
        return float(next(line for line in lines if line.startswith("vllm:num_requests_running{")).split()[-1])

    async with serving(tmp_path) as machine, client_of(machine) as client:

        async def one_runs() -> bool | None:
            return await running(machine) == 1 or None

        long = asyncio.create_task(
            client.completions.create(model=MODEL, prompt="a", max_tokens=300, extra_body={"ignore_eos": True})
        )
        await eventually(one_runs)
        await long
        assert await running(machine) == 0


async def test_the_metrics_count_what_was_served_by_why_it_ended(tmp_path: Path) -> None:
    async with serving(tmp_path) as machine, client_of(machine) as client, aiohttp.ClientSession() as http:

        async def served() -> dict[str, float]:
            async with http.get(machine.url("/metrics")) as response:
                lines = (await response.text()).splitlines()
            counters = [line for line in lines if line.startswith("vllm:request_success_total{")]
            return {line.split('finished_reason="')[1].split('"')[0]: float(line.split()[-1]) for line in counters}

        assert set((await served()).values()) == {0.0}
        await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "How far?"}])
        await client.completions.create(model=MODEL, prompt="Go on", max_tokens=1)
        with pytest.raises(openai.NotFoundError):
            await client.completions.create(model="another", prompt="Go on")
        assert await served() == {"stop": 1.0, "length": 1.0, "abort": 0.0, "error": 0.0}


async def test_the_log_shows_the_load_in_vllms_words(tmp_path: Path) -> None:
    arguments = ("--model", LARGE, "--api-key", "printed-key")
    async with serving(tmp_path, *arguments) as machine:
        await eventually(lambda: health_of(machine))
        log = log_of(machine)
        for words in (
            "non-default args: {'model': 'Qwen/Qwen2.5-72B-Instruct'", "'api_key': ['printed-key']",
            "Loading safetensors checkpoint shards:  55% Completed | 16/29", "torch.compile took",
            "Graph capturing finished",
            "init engine (profile", "Time spent downloading weights for",
            "\rCapturing CUDA graphs (mixed prefill-decode, PIECEWISE):  42%|████      | 28/67",
            "Application startup complete.",
        ):  # fmt: skip
            assert words in log
        assert "(APIServer pid=1)" in log
        assert ".safetensors:" not in log


async def test_a_download_is_shown_file_by_file_only_where_tqdm_was_told_that_each_state_is_a_line(
    tmp_path: Path,
) -> None:
    async def lines_of(folder: Path, model: str) -> list[str]:
        async with serving(folder, "--model", model, environment={"TQDM_POSITION": "-1"}, version="0.13.0") as machine:
            await eventually(lambda: health_of(machine))
            return [line for line in log_of(machine).split("\n") if ".safetensors:" in line]

    one_file = await lines_of(tmp_path / "one", MODEL)
    assert [line.split("|")[0].split("\r")[-1] for line in one_file] == [
        f"(…)eb089e7/model.safetensors: {percent:3}%" for percent in (0, 40, 100)
    ]
    done = [line for line in await lines_of(tmp_path / "many", LARGE) if "100%" in line]
    assert "model-00008-of-00029" in done[0]
    assert len(done) == 29


async def test_a_key_that_came_by_the_environment_is_not_printed(tmp_path: Path) -> None:
    async with serving(tmp_path) as machine:
        await eventually(lambda: health_of(machine))
        assert KEY not in log_of(machine)


async def test_a_worker_that_never_loads_stays_closed(tmp_path: Path) -> None:
    async with serving(tmp_path, scenario=QUICK.model_copy(update={"never_loads": True})) as machine:

        async def stuck() -> bool | None:
            return "100% Completed" in log_of(machine) or None

        await eventually(stuck)
        assert await health_of(machine) is None
        assert "Loading weights took" not in log_of(machine)


async def test_a_worker_that_dies_does_not_come_back(tmp_path: Path) -> None:
    async with serving(tmp_path, scenario=QUICK.model_copy(update={"dies_after_ready": 0.3})) as machine:
        assert await eventually(lambda: health_of(machine)) == 200

        async def begun_again_in_vain() -> bool | None:
            return "EngineCore failed to start" in log_of(machine) or None

        await eventually(begun_again_in_vain)
        assert await health_of(machine) is None
        assert machine.host.disk.contents.containers["worker"].restart_count >= 1


async def test_a_dead_engine_is_told_at_once_and_ends_later_and_serves_again(tmp_path: Path) -> None:
    scenario = QUICK.model_copy(update={"engine_dies_after_ready": 0.5, "dead_engine": 2.0})
    async with serving(tmp_path, scenario=scenario) as machine, client_of(machine) as client:

        async def dead() -> bool | None:
            return await health_of(machine) == 503 or None

        async def serves_again() -> bool | None:
            return (machine.host.disk.contents.containers["worker"].restart_count == 1
                    and await health_of(machine) == 200) or None  # fmt: skip

        await eventually(dead)
        with pytest.raises(openai.InternalServerError, match="EngineCore encountered an issue"):
            await client.completions.create(model=MODEL, prompt="a")
        await eventually(serves_again)
        assert (await client.completions.create(model=MODEL, prompt="a")).choices[0].text
        assert "EngineDeadError" in log_of(machine)


async def test_an_engine_that_hangs_answers_nothing_more_and_calls_itself_healthy(tmp_path: Path) -> None:
    scenario = QUICK.model_copy(update={"engine_hangs_at": "poison"})
    async with serving(tmp_path, scenario=scenario) as machine, client_of(machine) as client:

        async def serves() -> bool | None:
            return await health_of(machine) == 200 or None

        await eventually(serves)
        assert (await client.completions.create(model=MODEL, prompt="a")).choices[0].text
        for prompt in ("poison", "a"):
            with pytest.raises(openai.APITimeoutError):
                await client.with_options(timeout=0.3, max_retries=0).completions.create(model=MODEL, prompt=prompt)
        assert await health_of(machine) == 200


async def test_a_gated_model_needs_a_token(tmp_path: Path) -> None:
    model = "meta-llama/Llama-3.1-8B-Instruct"
    async with serving(tmp_path / "without", "--model", model) as machine:

        async def refused() -> bool | None:
            return "gated repo" in log_of(machine) or None

        await eventually(refused)
    async with serving(tmp_path / "with", "--model", model, environment={"HF_TOKEN": "hf"}) as machine:
        assert await eventually(lambda: health_of(machine)) == 200


async def test_an_argument_that_vllm_does_not_know_ends_it(tmp_path: Path) -> None:
    async with serving(tmp_path, "--model", MODEL, "--faster") as machine:

        async def refused() -> bool | None:
            return "unrecognized arguments: --faster" in log_of(machine) or None

        await eventually(refused)


async def test_a_worker_comes_back_when_the_power_does(tmp_path: Path) -> None:
    async with serving(tmp_path) as machine:
        await eventually(lambda: health_of(machine))
        await machine.host.stop()
        assert await health_of(machine) is None
        await machine.next_boot().start()
        assert await eventually(lambda: health_of(machine)) == 200


async def test_a_worker_is_small(tmp_path: Path) -> None:
    async with serving(tmp_path) as machine:
        await eventually(lambda: health_of(machine))
        (worker,) = (psutil.Process(pid) for pid in processes.running(machine.host.boot_id))
        assert worker.memory_info().rss < 64 * 2**20
