"""What vLLM's log says about a start. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_WEIGHTS: Final = re.compile(r"Loading weights took ([\d.]+) seconds")
_COMPILED: Final = re.compile(r"torch\.compile took ([\d.]+) s in total")
_BEGUN: Final = "Starting to load model"
_LOADED: Final = "KV cache size"
_ERROR: Final = re.compile(r"\b(\w*(?:Error|Exception)\b: .+)")
_LATER: Final = ("See root cause above", "Engine core initialization failed")


@dataclass(frozen=True)
class Line:
    """`at`: seconds since the start."""

    at: float
    text: str


def weights_s(lines: Sequence[Line]) -> float | None:
    """Seconds of loading the weights as vLLM gives them; None where this loader does not say."""
    return _first(_WEIGHTS, lines)


def model_s(lines: Sequence[Line]) -> float | None:
    """Seconds from the begin of the load until the model is made of the weights: of all loaders alike."""
    begun = next((line.at for line in lines if _BEGUN in line.text), None)
    if begun is None:
        return None
    return next((line.at - begun for line in lines if line.at >= begun and _LOADED in line.text), None)


def before_model_s(lines: Sequence[Line]) -> float | None:
    """Seconds of everything before it: Python, imports, the engine's process."""
    return next((line.at for line in lines if _BEGUN in line.text), None)


def compiled_s(lines: Sequence[Line]) -> float:
    """Seconds of compilation; 0 where nothing was."""
    return _first(_COMPILED, lines) or 0.0


def why(lines: Sequence[Line]) -> str:
    """The first error, which has led to the others."""
    found = [match[1] for line in lines if (match := _ERROR.search(line.text))]
    first = next((each for each in found if not any(mark in each for mark in _LATER)), None)
    return first or (found[0] if found else lines[-1].text if lines else "it wrote nothing")


def why_in(text: str) -> str:
    """The same for what another program wrote."""
    return why([Line(0.0, line) for line in text.splitlines()])


def _first(pattern: re.Pattern[str], lines: Sequence[Line]) -> float | None:
    return next((float(match[1]) for line in lines if (match := pattern.search(line.text))), None)
