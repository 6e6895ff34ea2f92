"""A model's files in the S3-compatible mirror: a machine gets signed URLs, and never a key."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import structlog

from services.provisioner.weights.selection import read_by_vllm
from services.provisioner.weights.source import WeightsFile, WeightsList
from shared.weights_mirror.bucket import Bucket
from shared.weights_mirror.failures import MirrorFailed
from shared.weights_mirror.layout import MirroredFile, file_key
from shared.weights_mirror.reading import commit_of, manifest_of
from shared.weights_mirror.settings import WeightsMirror

_AT_ONCE: Final = 4
Answer = TypeVar("Answer")

log = structlog.get_logger()


class MirrorWeights:
    """`valid_s`: how long a URL is. A mirror that gives no answer is logged; then there is no list.

    It has its own threads, since a hanging mirror must not block others.
    """

    def __init__(self, mirror: WeightsMirror, *, timeout_s: float, valid_s: float) -> None:
        self._bucket = Bucket(mirror, timeout_s=timeout_s)
        self._limit_s = 2 * timeout_s
        self._valid_s = valid_s
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mirror")

    async def list(self, model: str, commit: str) -> WeightsList | None:
        return await self._asked(lambda: self._list(model, commit), model)

    async def commit(self, model: str, revision: str) -> str | None:
        return await self._asked(lambda: commit_of(self._bucket, model, revision), model)

    def close(self) -> None:
        """Does not wait for pending answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _asked(self, ask: Callable[[], Answer | None], model: str) -> Answer | None:
        try:
            async with asyncio.timeout(self._limit_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except (TimeoutError, MirrorFailed) as error:
            log.warning("the mirror of weights gave no answer", model=model, reason=str(error) or repr(error))
            return None

    def _list(self, model: str, commit: str) -> WeightsList | None:
        """Only what vLLM reads, so that nothing else in a manifest can reach a machine."""
        manifest = manifest_of(self._bucket, model, commit)
        if manifest is None:
            return None
        known = {file.path: file for file in manifest.files}
        files = tuple(self._file(model, commit, known[path]) for path in read_by_vllm(known))
        return WeightsList(commit, files, whole=manifest.whole) if files else None

    def _file(self, model: str, commit: str, file: MirroredFile) -> WeightsFile:
        url = self._bucket.signed_url(file_key(model, commit, file.path), self._valid_s)
        return WeightsFile(
            file.path, file.bytes, file.git_blob or file.sha256, url, None if file.git_blob else file.sha256
        )
