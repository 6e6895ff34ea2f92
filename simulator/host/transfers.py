"""Transfers that share bandwidth: what each has moved at any moment. Pure; moments come in as arguments."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

_EQUAL: Final = 1e-9
"""Shares of a rate or of a size that count as nothing: sums of floats miss by as much."""


@dataclass(eq=False)
class Transfer:
    """`size` and `moved` in bytes. It uses all of its `links` at the same time, and never runs faster than `most`."""

    size: float
    links: frozenset[str]
    most: float = math.inf
    moved: float = 0.0
    rate: float = field(default=0.0, init=False)

    @property
    def over(self) -> bool:
        return self.size - self.moved <= _EQUAL * max(1.0, self.size)

    @property
    def seconds_left(self) -> float:
        """At its present rate."""
        return 0.0 if self.over else (self.size - self.moved) / self.rate


class Transfers:
    """Those under way on one machine. `links` has the bytes per second of each link by its name."""

    def __init__(self, links: Mapping[str, float]) -> None:
        self._links = dict(links)
        self._running: list[Transfer] = []
        self._now = -math.inf

    def begin(self, now: float, transfer: Transfer) -> None:
        """Raises ValueError if nothing bounds its rate, KeyError for an unknown link."""
        if not transfer.links and math.isinf(transfer.most):
            raise ValueError("a transfer needs a link or a rate of its own")
        for link in transfer.links:
            self._links[link]
        self.advance(now)
        self._running.append(transfer)
        self._share()

    def end(self, now: float, transfer: Transfer) -> None:
        """Its bandwidth goes to the others, whether it was over or not."""
        self.advance(now)
        if transfer in self._running:
            self._running.remove(transfer)
            self._share()

    def advance(self, now: float) -> None:
        """Move all that has been moved by `now`. Whoever is done in between leaves its bandwidth to the others."""
        while self._running:
            first = min(self._running, key=lambda transfer: transfer.seconds_left)
            done_at = self._now + first.seconds_left
            if done_at > now:
                self._move(now - self._now)
                break
            self._move(first.seconds_left)
            self._now = done_at
            first.moved = first.size
            self._running = [transfer for transfer in self._running if not transfer.over]
            self._share()
        self._now = max(self._now, now)

    def _move(self, seconds: float) -> None:
        for transfer in self._running:
            transfer.moved = min(transfer.size, transfer.moved + transfer.rate * max(0.0, seconds))

    def _share(self) -> None:
        for transfer, rate in fair_rates(self._running, self._links).items():
            transfer.rate = rate


def fair_rates(transfers: Collection[Transfer], links: Mapping[str, float]) -> dict[Transfer, float]:
    """The max-min fair share of each, in bytes per second.

    All rates grow alike, until a link is full or a transfer is as fast as it may be; the others grow on
    (Bertsekas and Gallager, Data Networks, section 6.5.2).
    """
    rates = dict.fromkeys(transfers, 0.0)
    left = dict(links)
    growing = set(transfers)
    while growing:
        users = {link: sum(link in transfer.links for transfer in growing) for link in left}
        room = [left[link] / count for link, count in users.items() if count]
        step = min(room + [transfer.most - rates[transfer] for transfer in growing])
        for transfer in growing:
            rates[transfer] += step
        for link, count in users.items():
            left[link] -= step * count
        full = {link for link in left if left[link] <= _EQUAL * links[link]}
        growing = {
            transfer
            for transfer in growing
            if not transfer.links & full and rates[transfer] < transfer.most * (1 - _EQUAL)
        }
    return rates
