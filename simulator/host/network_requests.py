"""What a machine has asked for on the network, in a file beside its disk: so tests see what is asked for twice."""

from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

_FILE: Final = "network_requests.jsonl"


class AskedOf(StrEnum):
    REGISTRY = "registry"
    HUB = "hub"
    PACKAGES = "packages"


class NetworkRequest(BaseModel):
    """One request: for which image, file or package, and how many `bytes` came."""

    model_config = ConfigDict(frozen=True)
    source: AskedOf
    what: str
    bytes: int


class NetworkRequests:
    """In the machine's folder, in the order in which they ended."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    def note(self, source: AskedOf, what: str, size: float = 0) -> None:
        with self._file.open("a") as writing:
            writing.write(f"{NetworkRequest(source=source, what=what, bytes=int(size)).model_dump_json()}\n")

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)

    def all(self) -> list[NetworkRequest]:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [NetworkRequest.model_validate_json(line) for line in lines]
