"""Assumptions before any launch was seen: a 7B model on one GPU, on a machine that the cloud has in stock."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import accumulate
from statistics import NormalDist
from typing import Final
from uuid import UUID

from shared.eta.launch import MILESTONES, Launch

MEDIANS: Final[Mapping[int, float]] = {
    5: 15,  # creating the server
    20: 10,  # growing its volume
    25: 5,  # powering on
    30: 10,  # waiting for an address
    40: 3,  # opening the ports
    45: 20,  # Scaleway's GPU images answer on SSH about 20 s after power-on
    50: 2,
    55: 2,  # the install's preflight
    56: 5,  # host key, data disk
    57: 40,  # Docker and NVIDIA's toolkit
    58: 240,  # pulling vLLM's image, about 10 GB
    59: 5,  # starting the worker
    60: 20,  # until vLLM says anything
    61: 40,  # downloading a 7B model
    67: 20,  # vLLM takes about 40 s to load a 7B model
    70: 20,
    73: 50,  # compiling, capturing graphs
    79: 5,
    80: 2,  # one token
    90: 1,
    95: 1,
}
"""Seconds from each milestone to the next."""
_SPREAD: Final = 1.0
"""Spread of the binary logarithm: one step in six takes more than twice as long, one in six less than half."""
_COUNT: Final = 11
_STRIDE: Final = 4
"""Coprime with the count, so that a slow step says nothing about the next one."""


def _launch(number: int, factors: list[float]) -> Launch:
    steps = (MEDIANS[step] * factors[(number + _STRIDE * index) % _COUNT] for index, step in enumerate(MILESTONES[:-1]))
    return Launch(
        instance_id=UUID(int=number),
        attempt=1,
        provider="",
        instance_type=None,
        model="",
        ready_at=datetime(1970, 1, 1, tzinfo=UTC),
        reached=tuple(zip(MILESTONES, accumulate(steps, initial=0.0), strict=True)),
    )


def _launches() -> tuple[Launch, ...]:
    spread = NormalDist(0, _SPREAD)
    factors = [2.0 ** (spread.inv_cdf((number + 0.5) / _COUNT)) for number in range(_COUNT)]
    return tuple(_launch(number, factors) for number in range(_COUNT))


LAUNCHES: Final = _launches()
"""Artificial launches, each step spread around its median."""
