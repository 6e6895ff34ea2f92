"""Groups addresses into parties, and remembers a bounded number of them."""

from collections import OrderedDict
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

_IPV6_PREFIX: Final = 64
"""One customer usually has a network of this size, and may use any address in it."""


@lru_cache(maxsize=4_096)
def party(host: str) -> str:
    """IPv4: the address. IPv6: its /64. Anything else stands for itself."""
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
    """Parties, each until a time. If there are too many, the one not seen for longest is forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def until(self, who: str, now: float) -> float:
        """Until when it is remembered; 0 if it is not."""
        until = self._until.get(who, 0.0)
        return until if until > now else 0.0

    def remember(self, who: str, until: float) -> None:
        self._until[who] = until
        self._until.move_to_end(who)
        if len(self._until) > self._most:
            self._until.popitem(last=False)
