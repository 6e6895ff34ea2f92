"""Reads from vLLM's log how far it is with loading a model. Pure.

The lines are those of 0.13.0 and 0.32.0. Before them, vLLM puts process names and times, with colours in 0.13 even
without a terminal. The download bars are huggingface_hub's, which the install switches on (TQDM_POSITION). With 0.13
each file of weights has a bar. With 0.32 only the tokenizer's files have one ("Fetching 7 files: 100%" comes before the
first byte of the weights), so no bar but a file's counts.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.plain_text import plain


@dataclass(frozen=True)
class Load:
    """`fraction` of the whole load, 0 to 1. The stages' shares are an estimate; their order is vLLM's."""

    stage: str
    fraction: float


_FILE: Final = re.compile(r"\.(?:safetensors|bin): +(\d{1,3})%")
_NAME: Final = re.compile(r"([^\s/]+?)(?:-(\d{1,5})-of-(\d{1,5}))?$")
_SHARDS: Final = re.compile(r"checkpoint shards: +\d{1,3}% Completed \| (\d{1,5})/(\d{1,5})")
_GRAPHS: Final = re.compile(r"Capturing CUDA graphs?\b(.{0,200})\| (\d{1,5})/(\d{1,5}) \[")
_MARKS: Final[Mapping[str, Load]] = {
    "Starting to load model": Load("download", 0.0),
    "Time spent downloading weights": Load("download", 0.35),
    "Loading weights took": Load("weights", 0.7),
    "Dynamo bytecode transform": Load("compile", 0.75),
    "Directly load AOT compilation": Load("compile", 0.85),
    "torch.compile takes": Load("compile", 0.85),
    "torch.compile took": Load("compile", 0.85),
    "Graph capturing finished": Load("graph_capture", 0.95),
    "init engine (profile": Load("warm_up", 1.0),
}
_DOWNLOADED: Final = 0.35
_WEIGHTS: Final = 0.7
_COMPILED: Final = 0.85
_HALF_CAPTURED: Final = 0.9
"""After the bar of the piecewise graphs, since by default a bar of full graphs follows."""
_CAPTURED: Final = 0.95
_DIGITS: Final = 3
_LONGEST_LINE: Final = 1000
_LONGEST_NAME: Final = 80
_MOST_FILES: Final = 1000
"""A machine may write anything into its log: more files than any model has are ignored."""


@dataclass
class ModelLoad:
    """One load, from its lines. It remembers each file's share, since up to eight are downloaded side by side."""

    _files: defaultdict[tuple[str, int], dict[str, float]] = field(
        default_factory=lambda: defaultdict(dict), repr=False
    )
    """Shares by what the file is a part of, and of how many parts."""
    _heard: int = 0

    def after(self, line: str) -> Load | None:
        """The progress after this line; None for any other line."""
        line = plain(line[:_LONGEST_LINE].strip())
        if match := _FILE.search(line):
            return self._downloaded(line[: match.start()], match[1])
        if match := _SHARDS.search(line):
            return Load("shards", _between(_DOWNLOADED, _WEIGHTS, int(match[1]), int(match[2])))
        if match := _GRAPHS.search(line):
            part = (_COMPILED, _HALF_CAPTURED) if "PIECEWISE" in match[1] else (_HALF_CAPTURED, _CAPTURED)
            return Load("graph_capture", _between(*part, int(match[2]), int(match[3])))
        return next((load for mark, load in _MARKS.items() if mark in line), None)

    def _downloaded(self, before: str, percent: str) -> Load | None:
        """A part without any line yet counts as not begun."""
        named = _NAME.search(before, max(0, len(before) - _LONGEST_NAME))
        if named is None:
            return None
        name, number, total = named.groups(default="")
        whole = (name, int(total or 1))
        if number not in self._files.get(whole, ()):
            if self._heard == _MOST_FILES:
                return None
            self._heard += 1
        self._files[whole][number] = min(int(percent), 100) / 100
        expected = sum(max(each, len(heard)) for (_, each), heard in self._files.items())
        return Load(
            "download", _between(0.0, _DOWNLOADED, sum(sum(heard.values()) for heard in self._files.values()), expected)
        )


def _between(begin: float, end: float, number: float, total: int) -> float:
    return round(begin + (end - begin) * _share(number, total), _DIGITS)


def _share(number: float, total: int) -> float:
    return min(max(number / total, 0.0), 1.0) if total else 0.0
