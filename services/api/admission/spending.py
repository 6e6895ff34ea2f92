"""The hourly cost of an organisation's instances at list price, including those that are still starting."""

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
    """An amount per hour."""

    amount: float
    currency: str


def expected(wish: Wish, found: Findings, offered: Offered) -> Price | None:
    """The most expensive type that it may get, or for any type the cheapest within the limits.

    None if no price is known.
    """
    prices = [
        Price(kind.hourly_price, kind.currency or "")
        for kind in types_of(candidates(wish, found, offered.get(wish.provider, ())))
        if kind.hourly_price is not None
    ]
    choose = max if wish.instance_types or found.max_hourly_price is not None else min
    return choose(prices, key=lambda price: price.amount, default=None)


def price(instance: Instance, offered: Offered) -> Price | None:
    """What it costs now, or will once its server exists; None if it costs nothing or the price is unknown."""
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
    """How many count towards the limit of instances. A failed one counts while it is kept for inspection."""
    return sum(instance.status not in _ENDED or instance.held_for_inspection for instance in instances)
