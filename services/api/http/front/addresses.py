"""Whom an address stands for, and a bounded memory of addresses."""

from collections import OrderedDict
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

_IPV6_PREFIX: Final = 64
"""A network of this size is one customer's, who may use any address in it."""


@lru_cache(maxsize=4_096)
def party(host: str) -> str:
    """IPv4: the address. IPv6: its /64. What is no address stands for itself."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, _IPV6_PREFIX), strict=False))


class Remembered:
    """Parties, each until a time. When there are too many, the one that was longest not heard of is forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def until(self, who: str, now: float) -> float:
        """0 when it is not remembered, or no longer."""
        until = self._until.get(who, 0.0)
        return until if until > now else 0.0

    def remember(self, who: str, until: float) -> None:
        self._until[who] = until
        self._until.move_to_end(who)
        if len(self._until) > self._most:
            self._until.popitem(last=False)
