"""The machine's link with limits, by tc: what comes from the hub and from the registry, each at a rate of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from real_line.commands import Commands
from real_line.machine import INTERFACE

_QUEUE_PACKETS: Final = 64
"""The link's packets have up to 64 kB."""
_BURST: Final = "256kb"


@contextmanager
def limited(run: Commands, rates: Mapping[int, int]) -> Iterator[None]:
    """Until the end of the block: bytes per second by the port from which they come. Everything else has no limit."""
    for command in limits(rates):
        run(*command)
    try:
        yield
    finally:
        run("tc", "qdisc", "del", "dev", INTERFACE, "root")


def limits(rates: Mapping[int, int]) -> Iterator[list[str]]:
    """The command lines: a class of the hierarchical token bucket for each port, and a filter that leads to it."""
    yield ["tc", "qdisc", "add", "dev", INTERFACE, "root", "handle", "1:", "htb"]
    for number, (port, rate) in enumerate(rates.items(), start=1):
        limit = f"{rate * 8}bit"
        queue = ["pfifo", "limit", str(_QUEUE_PACKETS)]
        match = ["u32", "match", "ip", "sport", str(port), "0xffff", "flowid", f"1:{number}"]
        link = ["dev", INTERFACE]
        yield [
            "tc",
            "class",
            "add",
            *link,
            "parent",
            "1:",
            "classid",
            f"1:{number}",
            "htb",
            "rate",
            limit,
            "burst",
            _BURST,
        ]
        yield ["tc", "qdisc", "add", *link, "parent", f"1:{number}", *queue]
        yield ["tc", "filter", "add", *link, "parent", "1:", "protocol", "ip", *match]
