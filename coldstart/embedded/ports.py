"""Which port of the loopback interface a server gets."""

import socket
from collections.abc import Iterator
from typing import Final

from coldstart.embedded.errors import PortTakenError

HOST: Final = "127.0.0.1"
_TRIES: Final = 5


def candidates(wanted: int, previous: int | None) -> Iterator[int]:
    """Ports to try in this order; each was free when it was yielded.

    A `wanted` port is the only candidate. With 0, the previous port comes first, so that URLs stay the same, then
    ports that the kernel chooses. Raises PortTakenError if the `wanted` port is not free.
    """
    if wanted:
        if not is_free(wanted):
            raise PortTakenError(wanted)
        yield wanted
        return
    if previous is not None and is_free(previous):
        yield previous
    for _ in range(_TRIES):
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        yield port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
