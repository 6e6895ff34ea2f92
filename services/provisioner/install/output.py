"""What the install script says on its standard output, line by line. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from services.provisioner.install.script import PHASES, SEAL, WARM

_MARK: Final = "::phase::"
_COMMIT: Final = re.compile(r"::commit::([0-9a-f]{40})")
_WEIGHTS: Final = re.compile(r"::weights::(\d{1,15}) ([1-9]\d{0,14}) (\d{1,6}) ([1-9]\d{0,5})")


@dataclass(frozen=True)
class Phase:
    """The install has begun this phase: the earlier ones are done."""

    name: str


@dataclass(frozen=True)
class Image:
    """The image that the machine takes: the job's, or its build for older drivers."""

    name: str


@dataclass(frozen=True)
class HeldUp:
    """The install waits for this, which passes by itself."""

    what: str


@dataclass(frozen=True)
class Resumed:
    """What it waited for is over."""


@dataclass(frozen=True)
class Fetched:
    """So much of the model is on the machine: of its `total_bytes`, and of its files."""

    bytes: int
    total_bytes: int
    files: int
    files_total: int


@dataclass(frozen=True)
class Warmed:
    """vLLM has run the model of a machine image once; with a `reason` it has not."""

    reason: str | None = None


@dataclass(frozen=True)
class CommitToStore:
    """The machine image is to have the model of this commit."""

    commit: str


@dataclass(frozen=True)
class Output:
    """Any other line."""

    text: str


Said: TypeAlias = Phase | Image | HeldUp | Resumed | Fetched | CommitToStore | Warmed | Output
_BEFORE_TEXT: Final[Mapping[str, Callable[[str], Said]]] = {
    "::image::": Image,
    "::waiting::": HeldUp,
    "::not_warmed::": Warmed,
}
_WHOLE: Final[Mapping[str, Said]] = {"::resumed::": Resumed(), "::warmed::": Warmed()}


def parse_line(line: str) -> Said:
    """What one line of output means. A phase that the script does not declare is ordinary output."""
    text = line.rstrip("\r\n")
    for mark, said in _BEFORE_TEXT.items():
        if text.startswith(mark):
            return said(text.removeprefix(mark))
    if text in _WHOLE:
        return _WHOLE[text]
    if stores := _COMMIT.fullmatch(text):
        return CommitToStore(stores[1])
    if fetched := _WEIGHTS.fullmatch(text):
        return Fetched(*map(int, fetched.groups()))
    name = text.removeprefix(_MARK)
    return Phase(name) if text.startswith(_MARK) and name in {*PHASES, WARM, SEAL} else Output(text)
