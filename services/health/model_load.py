"""What vLLM's log says of how far it is with loading a model. Pure.

The lines are those of v0.13.0, behind whatever process names and times vLLM puts before them. Of the download it prints
nothing by itself: the bars are huggingface_hub's, which the install asks for (TQDM_POSITION).
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Load:
    """`fraction` of the whole load, 0 to 1: how the stages share it is an estimate, their order is vLLM's."""

    stage: str
    fraction: float


_FILE: Final = re.compile(r"([^\s/]{1,80}?)(?:-(\d{1,5})-of-(\d{1,5}))?\.(?:safetensors|bin): +(\d{1,3})%")
_FETCHING: Final = re.compile(r"Fetching \d+ files: +(\d{1,3})%")
_SHARDS: Final = re.compile(r"checkpoint shards: +\d{1,3}% Completed \| (\d{1,5})/(\d{1,5})")
_GRAPHS: Final = re.compile(r"Capturing CUDA graphs?\b.*\| (\d{1,5})/(\d{1,5}) \[")
_MARKS: Final[Mapping[str, Load]] = {
    "Time spent downloading weights": Load("download", 0.35),
    "Loading weights took": Load("weights", 0.7),
    "Dynamo bytecode transform": Load("compile", 0.75),
    "torch.compile takes": Load("compile", 0.85),
    "Graph capturing finished": Load("graph_capture", 0.95),
    "init engine (profile": Load("warm_up", 1.0),
}
_DOWNLOADED: Final = 0.35
_WEIGHTS: Final = 0.7
_COMPILED: Final = 0.85
_CAPTURED: Final = 0.95
_DIGITS: Final = 3


@dataclass
class ModelLoad:
    """One load, from its lines. It remembers each file's share, since up to eight are fetched side by side."""

    _files: defaultdict[tuple[str, int], dict[str, float]] = field(
        default_factory=lambda: defaultdict(dict), repr=False
    )
    """By what a file is a part of, and of how many parts."""

    def after(self, line: str) -> Load | None:
        """How far it is; None for a line that says nothing of that."""
        if match := _FILE.search(line):
            return Load("download", self._downloaded(*match.groups()))
        if match := _FETCHING.search(line):
            return Load("download", _between(0.0, _DOWNLOADED, int(match[1]), 100))
        if match := _SHARDS.search(line):
            return Load("shards", _between(_DOWNLOADED, _WEIGHTS, int(match[1]), int(match[2])))
        if match := _GRAPHS.search(line):
            return Load("graph_capture", _between(_COMPILED, _CAPTURED, int(match[1]), int(match[2])))
        return next((load for mark, load in _MARKS.items() if mark in line), None)

    def _downloaded(self, name: str, number: str | None, total: str | None, percent: str) -> float:
        """A part that has not been heard of yet has not begun."""
        self._files[name, int(total or 1)][number or ""] = min(int(percent), 100) / 100
        expected = sum(max(parts, len(heard)) for (_, parts), heard in self._files.items())
        return _between(0.0, _DOWNLOADED, sum(sum(heard.values()) for heard in self._files.values()), expected)


def _between(begin: float, end: float, number: float, total: int) -> float:
    return round(begin + (end - begin) * _share(number, total), _DIGITS)


def _share(number: float, total: int) -> float:
    return min(max(number / total, 0.0), 1.0) if total else 0.0
