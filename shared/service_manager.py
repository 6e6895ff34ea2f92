"""Tells the service manager (systemd, or `coldstart up`) how a service is, by the protocol of sd_notify(3).

Each message is a datagram to the socket in NOTIFY_SOCKET. So `Type=notify` works under systemd as it does under
`coldstart up`. Without that variable nothing is sent.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Final

import structlog

SLOW_S: Final = 3.0
"""A wait that is over before is not told."""
_AGAIN_S: Final = 5.0
_LOGGED_EVERY: Final = 12
_EXTENDED_S: Final = 30

log = structlog.get_logger()


def notify(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if address is None:
        return
    if address.startswith("@"):  # Linux's abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(state.encode(), address)


@asynccontextmanager
async def told_while_waiting(
    server: str, at: str, setting: str
) -> AsyncGenerator[Callable[[BaseException, float], None]]:
    """While the block waits for `server`: a line in the log each minute, and more time from the service manager.

    `at` is its address without a password, `setting` the variable that names it. Yields a function to call with each
    error, which the next line then gives as the reason; its second argument is ignored.
    """
    reasons: list[str] = []
    telling = asyncio.create_task(_tell(server, at, setting, reasons))
    try:
        yield lambda error, _: reasons.append(str(error) or type(error).__name__)
    finally:
        telling.cancel()


async def _tell(server: str, at: str, setting: str, reasons: list[str]) -> None:
    await asyncio.sleep(SLOW_S)
    for number in count():
        reason = reasons[-1] if reasons else None
        reasons[:] = reasons[-1:]
        if number % _LOGGED_EVERY == 0:
            log.warning("waiting for a server", server=server, at=at, setting=setting, reason=reason)
        with suppress(OSError):  # nobody listens any more
            notify(f"EXTEND_TIMEOUT_USEC={_EXTENDED_S * 10**6}\nSTATUS=waiting for {server} at {at} ({setting})")
        await asyncio.sleep(_AGAIN_S)
