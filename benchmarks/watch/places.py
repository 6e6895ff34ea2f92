"""Where the benchmark's workers are."""

from ipaddress import IPv4Address
from typing import Final

MODEL: Final = "Qwen/Qwen2.5-0.5B-Instruct"
_FIRST: Final = int(IPv4Address("127.64.0.1"))


def address_of(number: int) -> IPv4Address:
    """All of 127.0.0.0/8 is loopback on Linux."""
    return IPv4Address(_FIRST + number)


def number_of(address: IPv4Address) -> int:
    return int(address) - _FIRST
