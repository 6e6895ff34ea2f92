"""The prober over the network: a plain TCP connect for SSH, one bounded request after the other for vLLM.

A worker is not trusted: anybody may have made its image, and its machine may have been taken over. So only numbers and
yes or no are read from its answers, and no answer, of whatever size or pace, costs more than its limits.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final, Self, TypeVar, assert_never

from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from services.health.probes import (
    Failed,
    ModelListed,
    OldWorker,
    Outcome,
    Passed,
    Probe,
    Refused,
    Running,
    Target,
    WarmedUp,
)
from services.health.settings import HealthSettings
from services.health.worker_http import (
    NotConnected,
    NotHttp,
    Place,
    Question,
    TooLarge,
    WorkerAnswer,
    ask,
    connected,
)
from services.health.worker_load import WorkerLoad, extras
from services.health.worker_pipe import WrongCertificate
from shared.lifecycle.events import MOST_TOKENS
from shared.vllm_version import VllmVersion

_NOTHING: Final = 64 * 1024
_DOCUMENT: Final = 1024 * 1024
_METRICS: Final = 2 * 1024 * 1024
"""Limits of an answer in bytes: one that is not read, a JSON document, metrics (some 60 kB an engine)."""
_MOST_ITEMS: Final = 4096
"""The most models in a list, and choices in a completion."""
_MOST_DIMENSIONS: Final = 65_536
_RUNNING: Final = "vllm:num_requests_running"
_WAITING: Final = "vllm:num_requests_waiting"
_GAUGES: Final = (_RUNNING, _WAITING)
_SERVED: Final = "vllm:request_success_total"
_PROMPT: Final = "vllm:prompt_tokens_total"
_GENERATION: Final = "vllm:generation_tokens_total"
_TOKENS: Final = (_PROMPT, _GENERATION)
_SAMPLE: Final = re.compile(rf"\n(?:{'|'.join((*_GAUGES, _SERVED, *_TOKENS))})[ {{][^\n]*".encode())
"""A line with the end of the line before: what begins with a letter is found seven times as fast as a line's start."""
_MOST_SAMPLES: Final = 512
_LONGEST_SAMPLE: Final = 2048
_MOST_REQUESTS: Final = 1e15
"""A float is exact up to here; a worker that claims more has not counted."""


def _number_of_tokens(value: Any) -> int | None:
    """None for anything else: the model is in the list nevertheless."""
    return value if type(value) is int and 0 < value <= MOST_TOKENS else None


class _Model(BaseModel):
    id: str
    max_model_len: Annotated[int | None, BeforeValidator(_number_of_tokens)] = None


class _Models(BaseModel):
    data: list[_Model] = Field(max_length=_MOST_ITEMS)


class _Version(BaseModel):
    version: str


class _Choice(BaseModel):
    text: str


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1, max_length=_MOST_ITEMS)


_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Embedding(BaseModel):
    embedding: list[_Number] = Field(min_length=1, max_length=_MOST_DIMENSIONS)


class _Embeddings(BaseModel):
    data: list[_Embedding] = Field(min_length=1, max_length=_MOST_ITEMS)


_Document = TypeVar("_Document", bound=BaseModel)


@dataclass(frozen=True)
class _Body:
    content: bytes


class HttpProber:
    """vLLM's HTTP surface as its OpenAI-compatible server documents it."""

    def __init__(self, settings: HealthSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.probes_at_once)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: HealthSettings) -> AsyncGenerator[Self]:
        yield cls(settings)

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
            connection = await connected(target.address, self._settings.ssh_port, self._settings.connect_seconds)
        except NotConnected as error:
            return _not_connected(error, self._settings.connect_seconds)
        connection.close()  # it answered; its bytes are of no interest
        return Passed()

    async def _health(self, target: Target) -> Outcome:
        question = Question("GET", "/health", target.api_key)
        answer = await self._ask(question, target, self._settings.answer_seconds, _NOTHING)
        return Passed() if isinstance(answer, _Body) else answer

    async def _models(self, target: Target) -> Outcome:
        question = Question("GET", "/v1/models", target.api_key)
        listed = _read(await self._ask(question, target, self._settings.answer_seconds, _DOCUMENT), _Models)
        if not isinstance(listed, _Models):
            return listed
        for model in listed.data:
            if model.id == target.model:
                return ModelListed(model.max_model_len)
        return Failed(f"{target.model} is not among the {len(listed.data)} models listed")

    async def _warm_up(self, target: Target) -> Outcome:
        expected: type[BaseModel] = _Completion
        path, wanted = "/v1/completions", dict[str, object](prompt="Hello", max_tokens=1, temperature=0)
        if target.task == "embed":
            path, wanted, expected = "/v1/embeddings", {"input": "Hello"}, _Embeddings
        question = Question("POST", path, target.api_key, {"model": target.model, **wanted})
        until = asyncio.get_running_loop().time() + self._settings.warmup_seconds
        given = _read(await self._ask(question, target, self._settings.warmup_seconds, _DOCUMENT), expected)
        return WarmedUp(await self._version(target, until)) if isinstance(given, BaseModel) else given

    async def _version(self, target: Target, until: float) -> VllmVersion | None:
        """None if it does not say it before that moment of the loop's time."""
        left_s = min(self._settings.answer_seconds, until - asyncio.get_running_loop().time())
        question = Question("GET", "/version", target.api_key)
        said = _read(await self._ask(question, target, left_s, _NOTHING), _Version)
        return VllmVersion.answered(said.version) if isinstance(said, _Version) else None

    async def _running(self, target: Target) -> Outcome:
        question = Question("GET", "/metrics", target.api_key)
        answer = await self._ask(question, target, self._settings.answer_seconds, _METRICS)
        return _counted(answer.content) if isinstance(answer, _Body) else answer

    async def _ask(self, question: Question, target: Target, seconds: float, longest: int) -> "_Body | Outcome":
        connect_s = self._settings.connect_seconds
        place = Place(target.address, self._settings.worker_port, target.tls)
        try:
            async with asyncio.timeout(seconds):
                return _answered(await ask(place, question, longest=longest, connect_s=connect_s, line=target.line))
        except NotConnected as error:
            return _not_connected(error, connect_s)
        except WrongCertificate:
            return OldWorker()
        except TimeoutError:
            return _no_answer(seconds)
        except (TooLarge, NotHttp) as error:
            return Failed(str(error))
        except OSError as error:
            return Failed(f"the connection broke ({type(error).__name__})", silent=True)


def _answered(answer: WorkerAnswer) -> _Body | Outcome:
    match answer.status:
        case HTTPStatus.OK:
            return _Body(answer.body)
        case HTTPStatus.UNAUTHORIZED:
            return OldWorker()
        case status:
            return Failed(f"HTTP {status}")


def _counted(metrics: bytes) -> Outcome:
    """The numbers of running and of served requests, and of tokens, from the few lines that have them."""
    lines: list[str] = []
    for sample in _SAMPLE.finditer(b"\n" + metrics):
        if len(lines) == _MOST_SAMPLES or len(sample[0]) > _LONGEST_SAMPLE:
            return Failed("more counts than any worker has")
        lines.append(sample[0].decode(errors="replace"))
    try:
        samples = [
            sample for family in text_string_to_metric_families("".join((*lines, "\n"))) for sample in family.samples
        ]
    except (ValueError, LookupError):
        return Failed("the metrics cannot be read")
    if not all(0 <= sample.value <= _MOST_REQUESTS for sample in samples):  # also refuses NaN
        return Failed("a count that is no number of requests")
    of: dict[str, float] = {}
    for each in samples:
        of[each.name] = of.get(each.name, 0.0) + each.value
    if not of.keys() & {*_GAUGES}:
        return Failed(f"no {_RUNNING} among the metrics")
    more = extras(metrics)
    load = WorkerLoad(
        running=round(of.get(_RUNNING, 0.0)),
        waiting=round(of.get(_WAITING, 0.0)),
        prompt_tokens=of.get(_PROMPT),
        generation_tokens=of.get(_GENERATION),
        cache_usage=more.cache_usage,
        first_token=more.first_token,
    )
    served, tokens = of.get(_SERVED), [of[name] for name in _TOKENS if name in of]
    produced = sum(tokens) + (served or 0.0) if tokens else None
    return Running(round(sum(of.get(name, 0.0) for name in _GAUGES)), served, produced, load)


def _read(answer: _Body | Outcome, model: type[_Document]) -> _Document | Outcome:
    if not isinstance(answer, _Body):
        return answer
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        return Failed("an answer that is not what the OpenAI API says")


def _no_answer(seconds: float) -> Failed:
    return Failed(f"no answer within {seconds:g} s", silent=True)


def _not_connected(error: NotConnected, within_s: float) -> Outcome:
    match error.cause:
        case None:
            return _no_answer(within_s)
        case ConnectionRefusedError():
            return Refused()
        case cause:
            return Failed(f"not reachable ({cause.strerror or type(cause).__name__})", silent=True)
