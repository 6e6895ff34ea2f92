"""A model's files on a Hugging Face hub: their names, sizes and checksums at one commit."""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import structlog
from httpx2 import HTTPError
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.hf_api import RepoSibling
from pydantic import SecretStr

from services.provisioner.weights.selection import in_two_formats, read_by_vllm
from services.provisioner.weights.source import WeightsFile, WeightsList

_FAULTS: Final = (HTTPError, OfflineModeIsEnabled, ValueError, TypeError, KeyError, AttributeError)
"""Everything that a request to the hub may raise; ModelInfo does not validate its JSON."""
_AT_ONCE: Final = 4
_SHA256: Final = re.compile("[0-9a-f]{64}")
_GIT: Final = re.compile("[0-9a-f]{40}")
Answer = TypeVar("Answer")

log = structlog.get_logger()


class HubWeights:
    """Asks the hub at `endpoint`, with our token. Machines fetch the files from the one at `served_by`.

    It has its own threads: a hanging hub must not block the event loop's shared threads, which resolve host names.
    """

    def __init__(self, endpoint: str, token: SecretStr | None, *, served_by: str, timeout_s: float) -> None:
        self._api = HfApi(endpoint=endpoint.rstrip("/"), token=token.get_secret_value() if token else False)
        self._served_by = served_by.rstrip("/")
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="weights")

    async def list(self, model: str, commit: str) -> WeightsList | None:
        """Never raises, whatever the hub answers. Takes at most twice the time-out."""
        return await self._asked(self._list, model, commit)

    async def commit(self, model: str, revision: str) -> str | None:
        """Likewise."""
        return await self._asked(self._commit, model, revision)

    def close(self) -> None:
        """Does not wait for pending answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _asked(self, ask: Callable[[str, str], Answer | None], model: str, revision: str) -> Answer | None:
        try:
            async with asyncio.timeout(2 * self._timeout_s):  # includes the wait for a free thread
                return await asyncio.get_running_loop().run_in_executor(self._threads, ask, model, revision)
        except (TimeoutError, *_FAULTS) as error:
            reason = str(error) or repr(error)
            log.warning("the hub tells no files of a model", model=model, revision=revision, reason=reason)
            return None

    def _commit(self, model: str, revision: str) -> str | None:
        sha = self._api.model_info(model, revision=revision, timeout=self._timeout_s).sha
        return sha if _GIT.fullmatch(str(sha)) else None

    def _list(self, model: str, commit: str) -> WeightsList | None:
        info = self._api.model_info(model, revision=commit, files_metadata=True, timeout=self._timeout_s)
        known = {sibling.rfilename: sibling for sibling in info.siblings or ()}
        chosen = read_by_vllm(known)
        if info.sha != commit or not chosen:
            return None
        files = tuple(self._files(model, commit, [known[path] for path in chosen]))
        return WeightsList(commit, files, whole=not in_two_formats(known)) if len(files) == len(chosen) else None

    def _files(self, model: str, commit: str, siblings: Iterable[RepoSibling]) -> Iterator[WeightsFile]:
        """Without those of which the hub does not tell enough."""
        for sibling in siblings:
            sha256 = sibling.lfs.sha256 if sibling.lfs else None
            blob = sha256 or sibling.blob_id or ""
            if sibling.size is None or not (_SHA256 if sha256 else _GIT).fullmatch(blob):
                continue
            url = hf_hub_url(model, sibling.rfilename, revision=commit, endpoint=self._served_by)
            yield WeightsFile(sibling.rfilename, sibling.size, blob, url, sha256, with_token=True)
