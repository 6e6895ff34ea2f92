"""A client of the Hugging Face hub: which models exist, their access, task and size, and which owners exist."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import ClassVar, Final, Literal, Protocol, TypeAlias, TypeVar

from httpx2 import HTTPError, ProxyError, Response, TimeoutException
from huggingface_hub import HfApi, ModelInfo, get_session, hf_raise_for_status
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # exported lazily
from pydantic import SecretStr

from services.api.catalogue.hub.contents import Contents, Reading, RevisionUnknown, size_of
from services.api.catalogue.vllm_models import tasks_of
from shared.lifecycle.wish import Task
from shared.proxies import CHECK

_TASKS: Final[Mapping[str, Task]] = {
    "text-generation": "generate",
    "text2text-generation": "generate",
    "conversational": "generate",
    "image-text-to-text": "generate",
    "any-to-any": "generate",
    "feature-extraction": "embed",
    "sentence-similarity": "embed",
}
"""The hub's names of pipelines that vLLM serves through `/v1`."""
_GENERATES: Final = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
_OF_EMBEDDINGS: Final = "sentence-transformers"
_NEVER_SERVED: Final = "fill-mask"
"""vLLM takes such models for ones that make sparse embeddings, which few of them do."""
_AT_ONCE: Final = 8
_SOME: Final = 20
_EXPAND: Final = ("config", "gated", "library_name", "pipeline_tag", "private", "safetensors", "sha")
FAULTS: Final = (HTTPError, OfflineModeIsEnabled, ValueError, TypeError, KeyError, AttributeError)
"""Everything that a request to the hub may raise; ModelInfo does not validate its JSON."""


@dataclass(frozen=True)
class Found:
    """`model` is the id in the hub's spelling, `sha` the commit, `pipeline` the hub's name of its task.

    `trust_remote_code`: nobody allows the code of a model that is not in the catalogue.

    `weights_bytes` is the size of the files. Anything that the hub does not say is None.
    """

    model: str
    task: Task
    gated: bool
    sha: str | None = None
    pipeline: str | None = None
    parameters: int | None = None
    weights_bytes: int | None = None
    trust_remote_code: ClassVar[bool] = False


@dataclass(frozen=True)
class NotOnHub:
    """Missing, or private and not visible to us; they look the same."""


@dataclass(frozen=True)
class Private:
    pass


@dataclass(frozen=True)
class Gated:
    """`with_token`: we sent a token, and it has no access."""

    with_token: bool


@dataclass(frozen=True)
class Disabled:
    """Taken down by its owner or the hub."""


@dataclass(frozen=True)
class Unsupported:
    """`pipeline` is None if the hub does not know the model's task either. `described`: as found, for a said task."""

    pipeline: str | None
    described: Found | None = field(default=None, compare=False)


@dataclass(frozen=True)
class TokenRefused:
    pass


@dataclass(frozen=True)
class RateLimited:
    """`retry_after_s` is None if the hub does not say it."""

    retry_after_s: int | None


@dataclass(frozen=True)
class HubUnreachable:
    """No answer, not in time, or an invalid one. It says nothing about the model."""

    reason: str


HubFailure: TypeAlias = TokenRefused | RateLimited | HubUnreachable
Answer = TypeVar("Answer")
Lookup: TypeAlias = Found | NotOnHub | Private | Gated | Disabled | Unsupported | HubFailure
Reply: TypeAlias = Contents | RevisionUnknown | HubFailure
"""About the contents of a repository. A failure says nothing about them."""


class Lookups(Protocol):
    async def look_up(self, model: str) -> Lookup:
        """Never raises for what the hub may answer."""

    async def contents(self, model: str, revision: str | None) -> Reply:
        """Never raises for what the hub may answer. Without a revision: of the main branch."""


class Namespaces(Protocol):
    async def has_namespace(self, name: str) -> bool | HubFailure:
        """Whether a user or an organisation has this name, in any case. Never raises, whatever the hub answers."""


class Hub:
    """`endpoint` is passed explicitly: huggingface_hub reads HF_ENDPOINT at import.

    It has its own threads: a hanging hub must not block the event loop's shared threads, which resolve host names.
    """

    def __init__(self, endpoint: str, token: SecretStr | None, timeout_s: float) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token: str | Literal[False] = token.get_secret_value() if token else False
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hub")

    async def look_up(self, model: str) -> Lookup:
        """Never raises, whatever the hub answers. Takes at most twice the time-out, for two requests."""
        return await self._asked(self._look_up, model)

    async def contents(self, model: str, revision: str | None) -> Reply:
        """Never raises, whatever the hub answers. Takes at most twice the time-out, for two requests."""
        return await self._asked(partial(self._contents, revision=revision), model)

    async def has_namespace(self, name: str) -> bool | HubFailure:
        """Whether a user or an organisation has this name, in any case; takes at most as long as `look_up`."""
        return await self._asked(self._has_namespace, name)

    async def models(self) -> list[str]:
        """Some models that could be served here; none without an answer. For a hub that has only a few."""
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._models)
        except (TimeoutError, *FAULTS):
            return []

    def _models(self) -> list[str]:
        found = HfApi(endpoint=self._endpoint, token=self._token).list_models(
            limit=_SOME, expand=["config", "gated", "library_name", "pipeline_tag", "private"]
        )
        return sorted(model.id for model in found if task_of(model) and not model.private)

    def close(self) -> None:
        """Does not wait for pending answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _asked(self, ask: Callable[[str], Answer], name: str) -> Answer | HubUnreachable:
        try:
            async with asyncio.timeout(2 * self._timeout_s):  # includes the wait for a free thread
                return await asyncio.get_running_loop().run_in_executor(self._threads, ask, name)
        except TimeoutError:
            return HubUnreachable(f"it did not answer within {2 * self._timeout_s:g} s")

    def _look_up(self, model: str) -> Lookup:
        try:
            return self._admitted(self._info(model))
        except GatedRepoError:  # a subclass of RepositoryNotFoundError
            return Gated(with_token=bool(self._token))
        except RepositoryNotFoundError:
            return NotOnHub()
        except DisabledRepoError:
            return Disabled()
        except FAULTS as error:
            return failure(error, with_token=bool(self._token), timeout_s=self._timeout_s)

    def _contents(self, model: str, revision: str | None) -> Reply:
        reading = Reading(self._endpoint, self._token, self._timeout_s)
        try:
            return reading.contents(model, revision)
        except RevisionNotFoundError:
            return RevisionUnknown()
        except FAULTS as error:
            return failure(error, with_token=bool(self._token), timeout_s=self._timeout_s)

    def _info(self, model: str) -> ModelInfo:
        api = HfApi(endpoint=self._endpoint, token=self._token)
        return api.model_info(model, expand=list(_EXPAND), timeout=self._timeout_s)

    def _admitted(self, info: ModelInfo) -> Lookup:
        """Raises GatedRepoError."""
        if info.private:
            return Private()
        if info.gated:
            if not self._token:
                return Gated(with_token=False)
            self._check_access(info.id)
        task = task_of(info)
        parameters, stored = size_of(info)
        found = Found(
            info.id,
            task or "generate",
            bool(info.gated),
            sha=info.sha,
            pipeline=info.pipeline_tag,
            parameters=parameters,
            weights_bytes=stored,
        )
        return found if task else Unsupported(info.pipeline_tag, found)

    def _has_namespace(self, name: str) -> bool | HubFailure:
        try:
            return any(self._has_overview(kind, name) for kind in ("organizations", "users"))
        except FAULTS as error:
            return failure(error, with_token=bool(self._token), timeout_s=self._timeout_s)

    def _has_overview(self, kind: str, name: str) -> bool:
        """Like HfApi.get_organization_overview and get_user_overview, which accept no time-out. Raises FAULTS."""
        response = self._get(f"{kind}/{name}/overview")
        if response.status_code == HTTPStatus.NOT_FOUND:
            return False
        hf_raise_for_status(response)
        return True

    def _check_access(self, model: str) -> None:
        """HfApi.auth_check accepts no time-out, so its request is made here. Raises GatedRepoError."""
        hf_raise_for_status(self._get(f"models/{model}/auth-check"))

    def _get(self, path: str) -> Response:
        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        return get_session().get(f"{self._endpoint}/api/{path}", headers=headers, timeout=self._timeout_s)


def failure(error: Exception, *, with_token: bool, timeout_s: float) -> HubFailure:
    """The meaning of one of the FAULTS. None of them says anything about the model."""
    match error:
        case HfHubHTTPError():
            return _by_status(error.response.status_code, error.response.headers, with_token=with_token)
        case TimeoutException():
            return HubUnreachable(f"it did not answer within {timeout_s:g} s")
        case ProxyError():
            return HubUnreachable(f"the proxy does not lead there ({error}): {CHECK}")
        case HTTPError() | OfflineModeIsEnabled():
            return HubUnreachable(f"{type(error).__name__}: {error}")
        case _:
            return HubUnreachable(f"its answer makes no sense: {type(error).__name__}")


def task_of(info: ModelInfo) -> Task | None:
    """None if it is not served here. Its tag says what it is for, and its architecture whether vLLM can do that.

    Many models have no tag, or an unusual one: then the architecture decides alone.
    """
    architectures = tuple((info.config or {}).get("architectures") or ())
    known = tasks_of(architectures)
    tagged = _TASKS.get(info.pipeline_tag or "")
    if info.pipeline_tag == _NEVER_SERVED or known == {"transcribe"}:
        return None
    if tagged is not None:
        return "embed" if known == {"embed"} else tagged
    if "embed" in known and ("generate" not in known or info.library_name == _OF_EMBEDDINGS):
        return "embed"
    guessed = not (known or info.pipeline_tag) and any(name.endswith(_GENERATES) for name in architectures)
    return "generate" if "generate" in known or guessed else None


def _by_status(status: int, headers: Mapping[str, str], *, with_token: bool) -> HubFailure:
    match status:
        case 401 | 403 if with_token:
            return TokenRefused()
        case 429:
            return RateLimited(_retry_after_s(headers))
        case _:
            return HubUnreachable(f"it answered {status}")


def _retry_after_s(headers: Mapping[str, str]) -> int | None:
    """From the hub's own headers (IETF's draft on rate limits), or a proxy's plain one."""
    if (limit := parse_ratelimit_headers(headers)) and not limit.remaining:
        return limit.reset_in_seconds
    plain = headers.get("Retry-After", "")
    return int(plain) if plain.isdecimal() else None
