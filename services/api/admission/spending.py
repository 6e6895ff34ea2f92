"""What an organisation's instances cost by the hour, at list price, including those that are still coming."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from shared.lifecycle.instance import Instance
from shared.lifecycle.status import FAILURES, GONE, STARTING_UP, Status
from shared.lifecycle.wish import Findings, Wish
from shared.offers.candidates import candidates, types_of
from shared.offers.instance_types import InstanceType

Offered: TypeAlias = Mapping[str, tuple[InstanceType, ...]]
Sums: TypeAlias = Mapping[str, float]
"""Amounts by currency."""
_COMING: Final = STARTING_UP | {Status.PROVISIONING}
_ENDED: Final = FAILURES | GONE
CENTS_OF_CENTS: Final = 4


@dataclass(frozen=True)
class Price:
    """Per hour."""

    amount: float
    currency: str


def expected(wish: Wish, found: Findings, offered: Offered) -> Price | None:
    """The dearest type that it may become, or the cheapest where any may and no price is too high.

    None when no price is known.
    """
    prices = [
        Price(kind.hourly_price, kind.currency or "")
        for kind in types_of(candidates(wish, found, offered.get(wish.provider, ())))
        if kind.hourly_price is not None
    ]
    choose = max if wish.instance_types or found.max_hourly_price is not None else min
    return choose(prices, key=lambda price: price.amount, default=None)


def price(instance: Instance, offered: Offered) -> Price | None:
    """What it costs now, or will once its server is there; None when it costs nothing, or nobody knows what."""
    if not instance.server_on and instance.status not in _COMING:
        return None
    if instance.hourly_price is None:
        return expected(instance.specification, instance.findings, offered)
    return Price(instance.hourly_price, instance.currency or "")


def per_hour(instances: Iterable[Instance], offered: Offered) -> Sums:
    return summed(price(instance, offered) for instance in instances)


def summed(prices: Iterable[Price | None]) -> Sums:
    sums: dict[str, float] = {}
    for one in prices:
        if one is not None:
            sums[one.currency] = round(sums.get(one.currency, 0.0) + one.amount, CENTS_OF_CENTS)
    return sums


def counted(instances: Iterable[Instance]) -> int:
    """Those that count towards a number of instances: a failed one does as long as it is kept for inspection."""
    return sum(instance.status not in _ENDED or instance.held_for_inspection for instance in instances)
