"""The hub, and where it does not answer, what the mirror of weights says of the models that it has."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import structlog

from services.api.catalogue.hub.client import Found, HubUnreachable, Lookup, Lookups, RateLimited, Reply, TokenRefused
from services.api.catalogue.hub.contents import CONFIG, Contents
from shared.weights_mirror.bucket import Bucket
from shared.weights_mirror.failures import MirrorFailed
from shared.weights_mirror.layout import MirrorManifest, file_key
from shared.weights_mirror.reading import commit_of, manifest_of
from shared.weights_mirror.settings import WeightsMirror

_AT_ONCE: Final = 4
_PATIENCE_S: Final = 1.0
"""How long the hub may take until the mirror is asked, too: a launch waits for 2 s at most."""
_MAIN: Final = "main"
_WEIGHTS: Final = (".safetensors", ".bin", ".pt")
_FAILURES: Final = (TokenRefused, RateLimited, HubUnreachable)
Answer = TypeVar("Answer")

log = structlog.get_logger()


class Mirrored:
    """As `hub`. A model is the mirror's as it was when it was mirrored. It has its own threads, as the hub has."""

    def __init__(
        self, hub: Lookups, mirror: WeightsMirror, *, timeout_s: float, patience_s: float = _PATIENCE_S
    ) -> None:
        self._hub = hub
        self._bucket = Bucket(mirror, timeout_s=timeout_s, tries=1)
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mirror")

    async def look_up(self, model: str) -> Lookup:
        """Takes at most as long as the hub, and the mirror's time-out."""
        return await self._answer(self._hub.look_up(model), lambda: self._found(model))

    async def contents(self, model: str, revision: str | None) -> Reply:
        """As `look_up`."""
        return await self._answer(self._hub.contents(model, revision), lambda: self._contents(model, revision or _MAIN))

    def close(self) -> None:
        """Does not wait for pending answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, asked: Coroutine[Any, Any, Answer], in_the_mirror: Callable[[], Answer | None]) -> Answer:
        hub = asyncio.create_task(asked)
        try:
            await asyncio.wait({hub}, timeout=self._patience_s)
            if hub.done() and not isinstance(hub.result(), _FAILURES):
                return hub.result()
            mirrored = await self._read(in_the_mirror)
            return await hub if mirrored is None else mirrored
        finally:
            hub.cancel()

    async def _read(self, read: Callable[[], Answer | None]) -> Answer | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, read)
        except (TimeoutError, MirrorFailed, ValueError) as error:
            log.warning("the mirror of weights gave no answer", reason=str(error) or repr(error))
            return None

    def _manifest(self, model: str, revision: str) -> MirrorManifest | None:
        commit = commit_of(self._bucket, model, revision)
        return None if commit is None else manifest_of(self._bucket, model, commit)

    def _found(self, model: str) -> Found | None:
        manifest = self._manifest(model, _MAIN)
        if manifest is None:
            return None
        return Found(
            model,
            manifest.task,
            manifest.gated,
            sha=manifest.commit,
            parameters=manifest.parameters,
            weights_bytes=_weights_bytes(manifest),
        )

    def _contents(self, model: str, revision: str) -> Contents | None:
        """Raises ValueError if the configuration is no JSON."""
        manifest = self._manifest(model, revision)
        if manifest is None:
            return None
        config = json.loads(self._bucket.read(file_key(model, manifest.commit, CONFIG)) or "{}")
        return Contents(
            model,
            manifest.commit,
            {file.path: file.bytes for file in manifest.files},
            config=config if isinstance(config, dict) else {},
            parameters=manifest.parameters,
            weights_bytes=_weights_bytes(manifest),
        )


def _weights_bytes(manifest: MirrorManifest) -> int | None:
    return sum(file.bytes for file in manifest.files if file.path.endswith(_WEIGHTS)) or None
