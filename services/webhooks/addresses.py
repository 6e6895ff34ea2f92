"""Which addresses may receive: public ones, and those of networks that the operator allows. Pure."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_LOWEST_32: Final = 0xFFFF_FFFF


def may_receive(host: str, allowed: Sequence[IPv4Network | IPv6Network], *, encrypted: bool) -> bool:
    """Whether a message may be sent to this IP address; unencrypted only to those that are allowed by name."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in network for network in allowed):
        return True
    return encrypted and all(map(_is_public, (address, *_inside(address))))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (address.is_site_local or address in _NAT64[1]):
        return False
    translated = isinstance(address, IPv6Address) and address in _NAT64[0]
    return address.is_global and not address.is_multicast and (translated or not address.is_reserved)


def _inside(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses to which a gateway may pass on what is sent to this one."""
    if isinstance(address, IPv4Address):
        return
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64[0]:
        yield IPv4Address(int(address) & _LOWEST_32)
