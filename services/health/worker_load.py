"""What a worker's metrics say of its load, beside what health itself needs: for charts and alerts, never for a verdict.

Read from vLLM's text with as little work as can be, and bounded: a worker is not trusted. What cannot be read is left
out, and fails no look.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

FIRST_TOKEN_BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, math.inf)
"""Of vLLM's buckets of the time to the first token, in seconds: those that are told on."""

_CACHE: Final = "_cache_usage_perc"
"""How the name ends that begins with kv, and with gpu in older versions."""
_SAMPLE: Final = re.compile(
    rb"\n(vllm:(?:kv|gpu)_cache_usage_perc|vllm:time_to_first_token_seconds_(?:bucket|sum))"
    rb"(?:\{([^}\n]{0,1024})\})? ([^\s]{1,32})"
)
_BOUND: Final = re.compile(rb'(?:^|,)le="([^"]{1,16})"')
_MOST_SAMPLES: Final = 2048
"""Some 25 an engine."""
_MOST: Final = 1e15


@dataclass(frozen=True)
class FirstToken:
    """`buckets`: how many first tokens came within each of FIRST_TOKEN_BOUNDS; `sum_s`: the time of all, in seconds."""

    buckets: tuple[float, ...]
    sum_s: float


@dataclass(frozen=True)
class WorkerLoad:
    """Counters count since the worker's start. None: the worker does not say.

    `cache_usage`: the part of the KV cache that is in use, 0 to 1; of several engines the fullest one's.
    """

    running: int
    waiting: int
    prompt_tokens: float | None = None
    generation_tokens: float | None = None
    cache_usage: float | None = None
    first_token: FirstToken | None = None


@dataclass(frozen=True)
class Extras:
    """What is read here; the rest of the load is what health has counted anyway."""

    cache_usage: float | None
    first_token: FirstToken | None


def extras(metrics: bytes) -> Extras:
    """Never raises. `metrics`: the text of /metrics, of any content."""
    usages: list[float] = []
    found: dict[float, float] = {}
    sum_s = 0.0
    for number, sample in enumerate(_SAMPLE.finditer(b"\n" + metrics)):
        value = _number(sample[3])
        if number == _MOST_SAMPLES or value is None:
            return Extras(None, None)
        name = sample[1].decode()
        if name.endswith(_CACHE):
            usages.append(value)
        elif name.endswith("_sum"):
            sum_s += value
        elif (bound := _bound(sample[2] or b"")) is not None:
            found[bound] = found.get(bound, 0.0) + value
    usage = max(usages, default=None)
    return Extras(usage if usage is not None and usage <= 1 else None, _first_token(found, sum_s))


def _first_token(found: Mapping[float, float], sum_s: float) -> FirstToken | None:
    """None if a bucket is missing, or has less than a smaller one."""
    buckets: Sequence[float | None] = [found.get(bound) for bound in FIRST_TOKEN_BOUNDS]
    counts = tuple(count for count in buckets if count is not None)
    rises = all(below <= above for below, above in pairwise(counts))
    return FirstToken(counts, sum_s) if len(counts) == len(buckets) and rises else None


def _bound(labels: bytes) -> float | None:
    bound = _BOUND.search(labels)
    if bound is None:
        return None
    return math.inf if bound[1] == b"+Inf" else _number(bound[1])


def _number(text: bytes) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= _MOST else None
