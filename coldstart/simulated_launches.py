"""Artificial launches for judging estimates: noisy, of several kinds, with drifting steps. Seeded."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from math import exp, sin, tau
from random import Random
from typing import Final, NamedTuple
from uuid import UUID

from shared.eta.launch import Launch
from shared.lifecycle.wish import DEFAULT_PROVIDER

NOISE: Final = 0.25
"""Standard deviation of each step's logarithm: one step in three is off by more than a quarter."""
PACE: Final = 0.15
"""Standard deviation of a whole launch's logarithm: a slow disk or network slows all of it."""
WANDERING: Final = 0.03
"""Drift of every step's logarithm from launch to launch, for ever: mirrors, images and clouds change."""
SWING: Final = 0.2
"""How much slower and faster everything gets over the day."""
_EVERY: Final = timedelta(minutes=37)
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)


_PREPARED: Final = (57, 58, 59)
"""Percentages that follow the installs of Docker and the toolkit, and the image's pull."""
_THERE_ALREADY_S: Final = 2.0


class _Kind(NamedTuple):
    instance_type: str
    model: str
    image_s: float
    load_s: float


_KINDS: Final = (
    _Kind("L4-1-24G", "Qwen/Qwen2.5-0.5B-Instruct", 240, 40),
    _Kind("L4-1-24G", "Qwen/Qwen2.5-7B-Instruct", 240, 160),
    _Kind("H100-1-80G", "Qwen/Qwen2.5-7B-Instruct", 150, 90),
    _Kind("H100-4-80G", "Qwen/Qwen2.5-72B-Instruct", 150, 1000),
)
_OFTEN: Final = (4, 3, 2, 1)


def _steps(kind: _Kind) -> dict[int, float]:
    """Percentages, each with the median seconds from the previous one."""
    load = kind.load_s
    return {
        20: 12, 25: 8, 30: 4, 40: 9, 45: 2, 50: 22, 55: 2, 56: 6, 57: 30, 58: 15, 59: kind.image_s, 60: 3,
        61: 15, 66: 0.25 * load, 70: 0.2 * load, 73: 0.2 * load, 76: 0.2 * load, 78: 0.15 * load,
        80: 4, 90: 1.5, 95: 0.3, 100: 0.6,
    }  # fmt: skip


def simulated_launches(count: int, seed: int, *, faster_from: int | None = None) -> Iterator[Launch]:
    """In order of their beginning; the same for the same seed.

    From number `faster_from` on, machines begin with Docker and the image, and nothing says so but the time.
    """
    random = Random(seed)  # noqa: S311  nothing secret
    drift = dict.fromkeys(_steps(_KINDS[0]), 0.0)
    for number in range(count):
        drift = {percent: value + random.gauss(0, WANDERING) for percent, value in drift.items()}
        (kind,) = random.choices(_KINDS, _OFTEN)
        began_at = _BEGINNING + number * _EVERY
        day = (began_at - _BEGINNING) / timedelta(days=1)
        pace = random.gauss(0, PACE) + SWING * sin(tau * day)
        steps = _steps(kind)
        if faster_from is not None and number >= faster_from:
            steps |= dict.fromkeys(_PREPARED, _THERE_ALREADY_S)
        lasting = [median * exp(drift[percent] + pace + random.gauss(0, NOISE)) for percent, median in steps.items()]
        moments = list(accumulate(lasting, initial=0.0))
        yield Launch(
            instance_id=UUID(int=number),
            attempt=1,
            provider=DEFAULT_PROVIDER,
            instance_type=kind.instance_type,
            model=kind.model,
            ready_at=began_at + timedelta(seconds=moments[-1]),
            reached=tuple(zip((5, *steps), moments, strict=True)),
        )
