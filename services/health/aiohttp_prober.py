"""The prober that asks over the network: one shared HTTP session, a plain TCP connect for SSH."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Self, TypeVar, assert_never

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, Field, ValidationError
from yarl import URL

from services.health.probes import Failed, OldWorker, Outcome, Passed, Probe, Refused, Running, Target
from services.health.settings import HealthSettings

_LONGEST_ANSWER: Final = 4 * 1024 * 1024
_KEPT_ALIVE_S: Final = 2.0
"""Shorter than uvicorn's 5 s, so that no request is sent into a connection that vLLM is about to close."""
_GAUGES: Final = ("vllm:num_requests_running", "vllm:num_requests_waiting")
_SERVED: Final = "vllm:request_success_total"


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


class _Choice(BaseModel):
    text: str


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class _Embedding(BaseModel):
    embedding: list[float] = Field(min_length=1)


class _Embeddings(BaseModel):
    data: list[_Embedding] = Field(min_length=1)


_Body = TypeVar("_Body", bound=BaseModel)


@dataclass(frozen=True)
class _Answer:
    body: bytes


class AiohttpProber:
    """vLLM's HTTP surface as its OpenAI-compatible server documents it."""

    def __init__(self, session: aiohttp.ClientSession, settings: HealthSettings) -> None:
        self._session = session
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.probes_at_once)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: HealthSettings) -> AsyncGenerator[Self]:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_ALIVE_S)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield cls(session, settings)

    async def probe(self, probe: Probe, target: Target) -> Outcome:
        async with self._slots:
            match probe:
                case Probe.SSH:
                    return await self._ssh(target)
                case Probe.HEALTH:
                    return await self._health(target)
                case Probe.MODELS:
                    return await self._models(target)
                case Probe.WARMUP:
                    return await self._warm_up(target)
                case Probe.RUNNING:
                    return await self._running(target)
                case _:
                    assert_never(probe)

    async def _ssh(self, target: Target) -> Outcome:
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                _, writer = await asyncio.open_connection(target.address, self._settings.ssh_port)
        except TimeoutError:
            return _no_answer(self._settings.connect_seconds)
        except OSError as error:
            return _unreachable(error)
        writer.close()
        with suppress(OSError):  # it was there; how it took the good-bye is of no interest
            await writer.wait_closed()
        return Passed()

    async def _health(self, target: Target) -> Outcome:
        answer = await self._ask("GET", "/health", target, self._settings.answer_seconds)
        return Passed() if isinstance(answer, _Answer) else answer

    async def _models(self, target: Target) -> Outcome:
        answer = await self._ask("GET", "/v1/models", target, self._settings.answer_seconds)
        listed = _read(answer, _Models)
        if not isinstance(listed, _Models):
            return listed
        if any(model.id == target.model for model in listed.data):
            return Passed()
        return Failed(f"{target.model} is not among the {len(listed.data)} models listed")

    async def _warm_up(self, target: Target) -> Outcome:
        seconds = self._settings.warmup_seconds
        if target.task == "embed":
            asked = {"model": target.model, "input": "Hello"}
            given: BaseModel | Outcome = _read(
                await self._ask("POST", "/v1/embeddings", target, seconds, asked), _Embeddings
            )
        else:
            wanted = {"model": target.model, "prompt": "Hello", "max_tokens": 1, "temperature": 0}
            given = _read(await self._ask("POST", "/v1/completions", target, seconds, wanted), _Completion)
        return Passed() if isinstance(given, BaseModel) else given

    async def _running(self, target: Target) -> Outcome:
        answer = await self._ask("GET", "/metrics", target, self._settings.answer_seconds)
        if not isinstance(answer, _Answer):
            return answer
        text = answer.body.decode(errors="replace")
        lines = "".join(f"{line}\n" for line in text.splitlines() if line.startswith((*_GAUGES, _SERVED)))
        try:
            samples = [sample for family in text_string_to_metric_families(lines) for sample in family.samples]
        except ValueError:
            return Failed("the metrics cannot be read")
        counts = [sample.value for sample in samples if sample.name in _GAUGES]
        if not counts:
            return Failed(f"no {_GAUGES[0]} among the metrics")
        served = [sample.value for sample in samples if sample.name == _SERVED]
        return Running(round(sum(counts)), sum(served) if served else None)

    async def _ask(
        self, method: str, path: str, target: Target, seconds: float, body: dict[str, Any] | None = None
    ) -> _Answer | Outcome:
        url = URL.build(scheme="http", host=target.address, port=self._settings.worker_port, path=path)
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=self._settings.connect_seconds)
        headers = {"Authorization": f"Bearer {target.api_key}"}
        try:
            async with self._session.request(
                method, url, json=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status == HTTPStatus.UNAUTHORIZED:
                    return OldWorker()
                if response.status != HTTPStatus.OK:
                    return Failed(f"HTTP {response.status}")
                return await _whole(response)
        except TimeoutError as error:
            connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
            return _no_answer(self._settings.connect_seconds if connecting else seconds)
        except aiohttp.ClientConnectorError as error:
            return _unreachable(error.os_error)
        except (aiohttp.ClientError, OSError) as error:
            return Failed(f"the connection broke ({type(error).__name__})")


async def _whole(response: aiohttp.ClientResponse) -> _Answer | Outcome:
    """The body, unless it goes on and on."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            return Failed(f"an answer of more than {_LONGEST_ANSWER} bytes")
    return _Answer(bytes(body))


def _read(answer: _Answer | Outcome, model: type[_Body]) -> _Body | Outcome:
    if not isinstance(answer, _Answer):
        return answer
    try:
        return model.model_validate_json(answer.body)
    except ValidationError:
        return Failed("an answer that is not what the OpenAI API says")


def _no_answer(seconds: float) -> Failed:
    return Failed(f"no answer within {seconds:g} s")


def _unreachable(error: OSError) -> Outcome:
    if isinstance(error, ConnectionRefusedError):
        return Refused()
    return Failed(f"not reachable ({error.strerror or type(error).__name__})")
