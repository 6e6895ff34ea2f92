"""Public addresses that are really loopback ones: each process has its own 127.A.B.0/24."""

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
    """A pool whose network no other simulator holds: one address of it stays bound as long as the pool is open.

    A released address is given again last, so that a late client of the old machine meets nobody for long.
    """

    def __init__(self, ports: tuple[int, ...], network: str = "") -> None:
        """`network` is taken if nobody has it: the one of an earlier time, such as 127.20.30.0/24."""
        self._ports = ports
        self._guards: list[socket.socket] = []
        self._free: deque[str] = deque()
        self.network = network

    def __enter__(self) -> Self:
        """Raises OSError when this machine has no 127.0.0.0/8 to bind, or after 64 taken networks."""
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
        """The address that has been free for longest, or None when all are given."""
        return self._free.popleft() if self._free else None

    def claim(self, address: str) -> bool:
        """Take this one; False when it is given already, or of another network."""
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
