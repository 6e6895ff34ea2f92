"""What a model's repository holds at one commit: its files with their sizes, and its configuration."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol
from urllib.parse import quote

from httpx2 import ReadTimeout
from huggingface_hub import ModelInfo, get_session, hf_raise_for_status

from services.api.catalogue.weights import weights_bytes

MOST_BYTES: Final = 8 * 2**20
"""The most that is read of one answer; the longest configurations have some hundred kilobytes."""
CONFIG: Final = "config.json"
_MAIN: Final = "main"
_COMMIT: Final = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class Contents:
    """At `commit`. `files`: sizes in bytes by path, None where the hub does not say it.

    `config` is the text of config.json as JSON; without that file, what the hub says of it, or nothing.
    """

    model: str
    commit: str
    files: Mapping[str, int | None]
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    library: str | None = None
    parameters: int | None = None
    weights_bytes: int | None = None


class Described(Protocol):
    """What the hub tells of a model, its files apart. Its search has only a part of the configuration.

    From https://github.com/huggingface/huggingface.js, `ModelData` in packages/tasks.
    """

    @property
    def model(self) -> str: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def library(self) -> str | None: ...


@dataclass(frozen=True)
class RevisionUnknown:
    """The repository has no such branch, tag or commit."""


class Reading:
    """Reads from one hub, each answer within `timeout_s` and `MOST_BYTES`. Its callers run it in threads."""

    def __init__(
        self,
        endpoint: str,
        token: str | Literal[False],
        timeout_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._timeout_s = timeout_s
        self._monotonic = monotonic

    def contents(self, model: str, revision: str | None) -> Contents:
        """Raises RevisionNotFoundError, and what `hub.client.FAULTS` lists.

        Like HfApi.model_info with files_metadata, which limits neither the size of an answer nor its whole time.
        """
        path = f"api/models/{model}/revision/{quote(revision or _MAIN, safe='')}"
        info = ModelInfo(**self._json(path, blobs="true"))  # type: ignore[no-untyped-call]
        if not _COMMIT.fullmatch(str(info.sha)):
            raise ValueError(f"{path} names no commit")
        files = {file.rfilename: file.size for file in info.siblings or ()}
        config = self._json(f"{model}/resolve/{info.sha}/{CONFIG}") if CONFIG in files else None
        parameters, weights_bytes = size_of(info)
        return Contents(
            info.id,
            str(info.sha),
            files,
            config=config if isinstance(config, dict) else dict(info.config or {}),
            tags=tuple(info.tags or ()),
            library=info.library_name,
            parameters=parameters,
            weights_bytes=weights_bytes,
        )

    def _json(self, path: str, **query: str) -> Any:
        """Raises ValueError if it is no JSON, or too long."""
        until = self._monotonic() + self._timeout_s
        content = bytearray()
        address = f"{self._endpoint}/{path}"
        with get_session().stream(
            "GET", address, params=query, headers=self._headers, timeout=self._timeout_s, follow_redirects=True
        ) as response:
            if response.is_error:
                response.read()
            hf_raise_for_status(response)
            for piece in response.iter_bytes():
                content += piece
                if len(content) > MOST_BYTES:
                    raise ValueError(f"{path} has more than {MOST_BYTES} bytes")
                if self._monotonic() > until:
                    raise ReadTimeout(f"{path} was not read within {self._timeout_s:g} s", request=response.request)
        return json.loads(content)


def size_of(info: ModelInfo) -> tuple[int | None, int | None]:
    """Its parameters and the bytes of its weights' files; None if the hub does not say."""
    counted = info.safetensors
    if counted is None:
        return None, None
    return counted.total or None, weights_bytes(counted.parameters, _quantization(info))


def _quantization(info: ModelInfo) -> Mapping[str, Any]:
    """Multimodal models have it in their text part."""
    config = info.config or {}
    return config.get("quantization_config") or (config.get("text_config") or {}).get("quantization_config") or {}
