"""The Hugging Face hub, asked once per model: whether it exists, whether we may have it, what it is for."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from httpx2 import HTTPError
from huggingface_hub import HfApi, ModelInfo, get_session, hf_raise_for_status
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError
from pydantic import SecretStr

from shared.lifecycle.events import Task

_TASKS: Final[Mapping[str, Task]] = {
    "text-generation": "generate",
    "text2text-generation": "generate",
    "conversational": "generate",
    "image-text-to-text": "generate",
    "any-to-any": "generate",
    "feature-extraction": "embed",
    "sentence-similarity": "embed",
}
"""What the hub calls a model's pipeline, for those that vLLM serves through `/v1`."""
_GENERATES: Final = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True)
class Found:
    """`model` is the id in the hub's own spelling."""

    model: str
    task: Task
    gated: bool


@dataclass(frozen=True)
class NotOnHub:
    """Missing and private look the same to a caller who may not see it."""


@dataclass(frozen=True)
class Private:
    pass


@dataclass(frozen=True)
class Gated:
    """`with_token`: we showed one, and it has no access."""

    with_token: bool


@dataclass(frozen=True)
class Unsupported:
    pipeline: str


@dataclass(frozen=True)
class TokenRefused:
    pass


@dataclass(frozen=True)
class Unreachable:
    reason: str


Lookup: TypeAlias = Found | NotOnHub | Private | Gated | Unsupported | TokenRefused | Unreachable


class Hub:
    """`endpoint` is passed on explicitly: huggingface_hub reads HF_ENDPOINT when it is imported."""

    def __init__(self, endpoint: str, token: SecretStr | None, timeout_s: float) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = token.get_secret_value() if token else False
        self._timeout_s = timeout_s

    async def look_up(self, model: str) -> Lookup:
        """Never raises for what the hub may answer. Takes twice the time-out at most: there may be two requests."""
        return await asyncio.to_thread(self._look_up, model)

    def _look_up(self, model: str) -> Lookup:
        try:
            info = HfApi(endpoint=self._endpoint, token=self._token).model_info(
                model, expand=["gated", "private", "pipeline_tag", "config"], timeout=self._timeout_s
            )
            if info.private:
                return Private()
            if info.gated:
                if not self._token:
                    return Gated(with_token=False)
                self._check_access(info.id)
        except GatedRepoError:  # a subclass of RepositoryNotFoundError
            return Gated(with_token=bool(self._token))
        except RepositoryNotFoundError:
            return NotOnHub()
        except HfHubHTTPError as error:
            if error.response is not None and error.response.status_code == _UNAUTHORIZED:
                return TokenRefused()
            return Unreachable(f"it answered {error.response.status_code if error.response is not None else error}")
        except (HTTPError, OfflineModeIsEnabled) as error:
            return Unreachable(f"{type(error).__name__}: {error}")
        task = _task(info)
        return Found(info.id, task, bool(info.gated)) if task else Unsupported(str(info.pipeline_tag))

    def _check_access(self, model: str) -> None:
        """HfApi.auth_check takes no time-out, so its request is made here. Raises GatedRepoError."""
        headers = {"authorization": f"Bearer {self._token}"}
        url = f"{self._endpoint}/api/models/{model}/auth-check"
        hf_raise_for_status(get_session().get(url, headers=headers, timeout=self._timeout_s))


def _task(info: ModelInfo) -> Task | None:
    """Many models name no pipeline; then their architecture tells."""
    if info.pipeline_tag:
        return _TASKS.get(info.pipeline_tag)
    architectures = (info.config or {}).get("architectures") or ()
    return "generate" if any(name.endswith(_GENERATES) for name in architectures) else None
