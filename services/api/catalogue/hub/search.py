"""Searches the Hugging Face hub for models whose ids contain given words, most downloaded first."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from huggingface_hub import ModelInfo, get_session, hf_raise_for_status
from pydantic import SecretStr

from services.api.catalogue.hub.client import (
    FAULTS,
    HubFailure,
    HubUnreachable,
    RateLimited,
    TokenRefused,
    failure,
    task_of,
)
from services.api.catalogue.hub.contents import size_of
from services.api.catalogue.hub.single_flight import SingleFlightCache
from shared.lifecycle.wish import Task

_AT_ONCE: Final = 4
_ASKED: Final = 50
_REST_S: Final = 10.0
"""How long a failed hub is not asked again, so that people who type do not wait for it."""
_EXPAND: Final = (
    "config",
    "disabled",
    "downloads",
    "gated",
    "library_name",
    "pipeline_tag",
    "private",
    "safetensors",
    "tags",
)
"""What `HfApi.model_info` expands, except fields that a list does not have: baseModels and others."""


@dataclass(frozen=True)
class Listed:
    """`task` is None if it is not served here; `pipeline` is the hub's name of it. Unknown values are None."""

    model: str
    task: Task | None
    gated: bool
    pipeline: str | None = None
    parameters: int | None = None
    weights_bytes: int | None = None
    downloads: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    library: str | None = None


Search: TypeAlias = tuple[Listed, ...] | HubFailure


class HubSearch:
    """Separate from look-ups, so that people who type do not delay launches.

    An answer is cached for `kept_s`. A hub that fails is not asked for ten seconds, or for as long as it says.
    """

    def __init__(
        self,
        endpoint: str,
        token: SecretStr | None,
        *,
        timeout_s: float,
        kept_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = endpoint.rstrip("/") + "/api/models"
        self._token = token.get_secret_value() if token else None
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hub-search")
        self._monotonic = monotonic
        self._rest: tuple[HubFailure | None, float] = (None, 0.0)
        self._cache = SingleFlightCache(
            self._ask, lambda answer: kept_s if isinstance(answer, tuple | TokenRefused) else 0.0
        )

    @property
    def has_token(self) -> bool:
        return self._token is not None

    async def search(self, text: str) -> Search:
        """At most fifty, none of them private. Never raises, whatever the hub answers, nor exceeds its time limit."""
        return await self._cache.answer(text.casefold())

    def close(self) -> None:
        """Waits for no answer."""
        self._cache.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, text: str) -> Search:
        if (failed := self._resting()) is not None:
            return failed
        try:
            async with asyncio.timeout(self._timeout_s):  # a turn among the threads is waited for no longer either
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._search, text)
        except TimeoutError:
            return self._failed(HubUnreachable(f"it did not answer within {self._timeout_s:g} s"))

    def _resting(self) -> HubFailure | None:
        """Why the hub is not asked now; None if it may be."""
        failed, until = self._rest
        return failed if self._monotonic() < until else None

    def _failed(self, failed: HubFailure) -> HubFailure:
        if not isinstance(failed, TokenRefused):
            retry_after_s = failed.retry_after_s if isinstance(failed, RateLimited) else None
            self._rest = failed, self._monotonic() + (retry_after_s or _REST_S)
        return failed

    def _search(self, text: str) -> Search:
        """Runs in a thread. Does not ask the hub if an earlier search has just failed."""
        if (failed := self._resting()) is not None:
            return failed
        try:
            found = [ModelInfo(**item) for item in self._page(text)]  # type: ignore[no-untyped-call]
        except FAULTS as error:
            return self._failed(failure(error, with_token=self.has_token, timeout_s=self._timeout_s))
        return tuple(_listed(info) for info in found if not info.private and not info.disabled)

    def _page(self, text: str) -> list[dict[str, Any]]:
        """Like HfApi.list_models, which accepts no time-out and tries a rate-limited hub six times."""
        query: dict[str, Any] = {"search": text, "sort": "downloads", "limit": _ASKED, "expand": list(_EXPAND)}
        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        response = get_session().get(self._address, params=query, headers=headers, timeout=self._timeout_s)
        hf_raise_for_status(response)
        return list(response.json())


def _listed(info: ModelInfo) -> Listed:
    parameters, stored = size_of(info)
    return Listed(
        info.id,
        task_of(info),
        bool(info.gated),
        pipeline=info.pipeline_tag,
        parameters=parameters,
        weights_bytes=stored,
        downloads=info.downloads,
        config=info.config if isinstance(info.config, dict) else {},
        tags=tuple(info.tags or ()),
        library=info.library_name,
    )


def in_words(answer: HubFailure) -> str:
    """Why there is nothing from the hub, and what to do."""
    match answer:
        case TokenRefused():
            return "The hub refuses our HF_TOKEN; the api service needs a valid one, or none."
        case RateLimited(retry_after_s=seconds):
            when = f"in {seconds} s" if seconds else "later"
            return f"The Hugging Face hub takes no more questions for now; try again {when}."
        case HubUnreachable(reason=reason):
            return f"The Hugging Face hub could not be asked: {reason}."
