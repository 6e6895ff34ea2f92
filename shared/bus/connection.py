"""One NATS connection per process: it reconnects for ever and logs it."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import wraps
from typing import Any, Final, TypedDict
from urllib.parse import urlsplit

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

RECONNECT_WAIT_S: Final = 0.25
_SLOW_S: Final = 3.0
_CLOSING_S: Final = 0.1
_CANCELLED_AGAIN_S: Final = 0.1
INBOX: Final = "_INBOX"
"""The inbox of programs without a user of their own."""
_A_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")
_LONGER_THAN_A_DEAD_CONNECTION_S: Final = 600

log = structlog.get_logger()


class ConnectOptions(TypedDict):
    servers: list[str]
    name: str
    inbox_prefix: str
    max_reconnect_attempts: int
    reconnect_time_wait: Any  # FastStream annotates int; nats-py accepts any number of seconds
    error_cb: Any
    disconnected_cb: Any
    closed_cb: Any
    reconnected_cb: Any


def _ignore() -> None:
    pass


def connect_options(url: str, name: str, reconnected: Callable[[], None] = _ignore) -> ConnectOptions:
    """Options for `nats.connect` and FastStream's `NatsBroker`. `reconnected`: messages may have been missed."""

    async def on_error(error: Exception) -> None:
        log.warning("nats error", connection=name, reason=repr(error))

    lost: list[asyncio.TimerHandle] = []

    async def on_disconnect() -> None:
        """nats-py also reports our own close as a disconnection. That is not logged: `on_close` follows at once."""
        lost.append(asyncio.get_running_loop().call_later(_CLOSING_S, _tell_of_loss, name))

    async def on_close() -> None:
        while lost:
            lost.pop().cancel()

    async def on_reconnect() -> None:
        lost.clear()
        log.info("nats reconnected", connection=name)
        reconnected()

    return ConnectOptions(
        servers=servers_of(url),
        name=name,
        inbox_prefix=inbox_prefix(url),
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_WAIT_S,
        error_cb=on_error,
        disconnected_cb=on_disconnect,
        closed_cb=on_close,
        reconnected_cb=on_reconnect,
    )


def servers_of(url: str) -> list[str]:
    """`COLDSTART_NATS_URL` may name several servers of a cluster, with commas in between."""
    return [each.strip() for each in url.split(",")]


def inbox_prefix(url: str) -> str:
    """Each user has its own, so that nobody reads another user's answers: see `shared.bus.accounts`."""
    user = urlsplit(servers_of(url)[0]).username or ""
    return f"{INBOX}_{user}" if _A_TOKEN.fullmatch(user) else INBOX


def _tell_of_loss(name: str) -> None:
    log.warning("nats disconnected", connection=name)


async def connect(url: str, name: str, reconnected: Callable[[], None] = _ignore) -> Client:
    """Retries for ever. Cancelled meanwhile, it ends and leaves no socket behind."""
    return await connect_with(connect_options(url, name, reconnected))


async def connect_with(options: Mapping[str, Any]) -> Client:
    """The same with nats-py's options.

    nats-py connects by `asyncio.wait_for`, too, and loses a cancellation that comes as the server accepts.
    """
    with _warning_of_a_wait(options["servers"]):
        return await _connected(options)


@asynccontextmanager
async def connected_once(url: str, *, timeout_s: float = 2.0) -> AsyncGenerator[Client]:
    """A connection for a few questions while the block runs: it is not retried, and nothing is logged.

    For an operator or a follower. Raises OSError, NoServersError or AuthorizationError. `timeout_s`: seconds for each
    step of connecting.
    """
    connection = await _connected(
        {
            "servers": servers_of(url),
            "error_cb": _unsaid,
            "connect_timeout": timeout_s,
            "allow_reconnect": False,
            "max_reconnect_attempts": 1,
            "reconnect_time_wait": 0,
        }
    )
    try:
        yield connection
    finally:
        await connection.close()


async def _unsaid(error: Exception) -> None:
    """Not logged, since the caller gets the error raised."""


async def _connected(options: Mapping[str, Any]) -> Client:
    connection = Client()
    connecting = asyncio.create_task(connection.connect(**options))
    try:
        await asyncio.shield(connecting)
    except BaseException:
        while not connecting.done():
            connecting.cancel()
            await asyncio.wait([connecting], timeout=_CANCELLED_AGAIN_S)
        if not connecting.cancelled():
            connecting.exception()  # it may have failed at the moment of the cancellation, which nobody need know
        with suppress(AssertionError):  # nats-py's, if the cancellation came before it had begun
            await connection.close()
        raise
    return _cancellable(connection)


@contextmanager
def _warning_of_a_wait(urls: Iterable[str]) -> Iterator[None]:
    """nats-py retries for ever in silence; this logs what is being waited for."""
    at = ", ".join(url.rpartition("@")[2].rpartition("//")[2] for url in urls)
    waiting = asyncio.get_running_loop().call_later(
        _SLOW_S, lambda: log.warning("waiting for NATS, which does not answer", at=at, setting="COLDSTART_NATS_URL")
    )
    try:
        yield
    finally:
        waiting.cancel()


def _cancellable(connection: Client) -> Client:
    """The same connection; no request of it forgets a cancellation. JetStream's go through this one method, too.

    nats-py awaits its answer by `asyncio.wait_for`. Before Python 3.12 that may return an answer and lose a
    cancellation that came at the same moment: a loop of requests would never end.
    """
    request = connection.request

    @wraps(request)
    async def cancellable_request(*args: Any, **options: Any) -> Msg:
        before = _cancellations()
        try:
            return await request(*args, **options)
        finally:
            if _cancellations() > before:
                raise asyncio.CancelledError

    connection.request = cancellable_request  # type: ignore[method-assign]
    return connection


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def round_trip(connection: Client) -> Callable[[], Awaitable[None]]:
    """Returns once the server has read everything sent before; unlike `Client.flush`, it may be abandoned.

    nats-py 2.16 leaves the future of a flush that timed out or was cancelled in its list of awaited PONGs. The late
    PONG then ends its read loop, and the connection receives nothing until two ping intervals have passed. So the
    flush itself is never cancelled, and its time-out is longer than the life of a connection that answers no ping.
    """
    awaited = set[asyncio.Task[None]]()

    async def confirmed() -> None:
        flushing = asyncio.create_task(connection.flush(_LONGER_THAN_A_DEAD_CONNECTION_S))
        awaited.add(flushing)
        flushing.add_done_callback(awaited.discard)
        await asyncio.shield(flushing)

    return confirmed
