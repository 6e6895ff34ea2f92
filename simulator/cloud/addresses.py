"""Public addresses are loopback addresses: each process has a 127.A.B.0/24 of its own."""

import secrets
import socket
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Self

ATTEMPTS = 64
HOSTS = range(1, 254)
GUARD = 254


class Addresses:
    """A pool of addresses. While it is open, one of them stays bound, so that no other simulator takes the network.

    A released address goes to the end of the queue: a late client of its old machine finds nobody there for a while.
    """

    def __init__(self, ports: tuple[int, ...], network: str = "") -> None:
        """`network` is preferred if it is free, e.g. 127.20.30.0/24 of an earlier run."""
        self._ports = ports
        self._guards: list[socket.socket] = []
        self._free: deque[str] = deque()
        self.network = network

    def __enter__(self) -> Self:
        """Raises OSError if this machine has no 127.0.0.0/8 to bind, or after 64 networks that are in use."""
        for network in _candidates(self.network):
            try:
                self._guards = _bind(f"{network}.{GUARD}", self._ports)
            except OSError as taken:
                reason = taken
                continue
            self.network = f"{network}.0/24"
            self._free.extend(f"{network}.{host}" for host in HOSTS)
            return self
        raise OSError("no free loopback network") from reason

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for guard in self._guards:
            guard.close()

    def take(self) -> str | None:
        """The address that has been free for longest; None if all are in use."""
        return self._free.popleft() if self._free else None

    def claim(self, address: str) -> bool:
        """Take this address; False if it is in use or in another network."""
        try:
            self._free.remove(address)
        except ValueError:
            return False
        return True

    def give_back(self, address: str) -> None:
        self._free.append(address)


def _candidates(first: str) -> Iterator[str]:
    """Networks by their first three bytes."""
    if first:
        yield first.rpartition(".")[0]
    for _ in range(ATTEMPTS):
        yield f"127.{16 + secrets.randbelow(239)}.{secrets.randbelow(255)}"


def _bind(address: str, ports: tuple[int, ...]) -> list[socket.socket]:
    bound: list[socket.socket] = []
    try:
        for port in ports:
            guard = socket.socket()
            bound.append(guard)
            guard.bind((address, port))
    except OSError:
        for guard in bound:
            guard.close()
        raise
    return bound
