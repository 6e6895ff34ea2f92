"""Where a machine gets a model's files from, file by file."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class WeightsFile:
    """One file of a repository. `blob` is its name in huggingface_hub's cache: `sha256`, or for small files git's id.

    `with_token`: the server that `url` names is the hub that our token is for.
    """

    path: str
    bytes: int
    blob: str
    url: str = field(repr=False)
    sha256: str | None = None
    with_token: bool = False


@dataclass(frozen=True)
class WeightsList:
    """What a worker reads of a repository at one commit. `whole`: it needs nothing else of the hub."""

    commit: str
    files: tuple[WeightsFile, ...]
    whole: bool = True

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


class WeightsSource(Protocol):
    async def list(self, model: str, commit: str) -> WeightsList | None:
        """None if there is no list, for whatever reason: then the worker fetches the model itself. Never raises."""

    async def commit(self, model: str, revision: str) -> str | None:
        """What a branch or tag names now; None if that is not known. Never raises."""
