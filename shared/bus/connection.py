"""One NATS connection per process: it reconnects for ever and logs it."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import wraps
from typing import Any, Final, TypedDict
from urllib.parse import urlsplit

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.service_manager import told_while_waiting

RECONNECT_WAIT_S: Final = 0.25
PING_S: Final = 5.0
PINGS_UNANSWERED: Final = 2
"""After so many, the connection counts as lost. By nats-py's own figures (120 s, 2) that would take six minutes."""
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
    ping_interval: Any
    max_outstanding_pings: int
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
        while lost:
            told = lost.pop()
            if told.when() > asyncio.get_running_loop().time():  # it was so short, but it is told in its order
                told.cancel()
                _tell_of_loss(name)
        log.info("nats reconnected", connection=name)
        reconnected()

    return ConnectOptions(
        servers=servers_of(url),
        name=name,
        inbox_prefix=inbox_prefix(url),
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_WAIT_S,
        ping_interval=PING_S,
        max_outstanding_pings=PINGS_UNANSWERED,
        error_cb=on_error,
        disconnected_cb=on_disconnect,
        closed_cb=on_close,
        reconnected_cb=on_reconnect,
    )


def servers_of(url: str) -> list[str]:
    """`COLDSTART_NATS_URL` may name several servers of a cluster, with commas in between."""
    return [each.strip() for each in url.split(",")]


def addresses(url: str) -> str:
    """The servers of a `COLDSTART_NATS_URL` without user and password."""
    return ", ".join(each.rpartition("@")[2].rpartition("//")[2] for each in servers_of(url))


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
    at = addresses(",".join(options["servers"]))
    async with told_while_waiting("NATS", at, "COLDSTART_NATS_URL"):  # nats-py retries for ever in silence
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


class _Client(Client):
    """nats-py's, which sees to its own connecting more carefully. `login` is "user:password", or empty."""

    def __init__(self, login: str) -> None:
        super().__init__()
        self._login = login

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """Servers of the cluster that are only heard of are told who asks. Those named anyway are not listed twice."""
        await super()._process_info(info, initial_connection)
        if not self._login:
            return
        named = {(each.uri.hostname, each.uri.port) for each in self._server_pool if each.uri.username}
        heard_of = [each for each in self._server_pool if not each.uri.username]
        for each in heard_of:
            if (each.uri.hostname, each.uri.port) in named:
                self._server_pool.remove(each)
            else:
                each.uri = each.uri._replace(netloc=f"{self._login}@{each.uri.netloc}")

    async def _process_connect_init(self) -> None:
        """Connected is connected, even if the server says something else before it answers the first ping.

        In a cluster it does, of other servers. nats-py would then leave its state as it was, and its task that sends
        would end at once: nothing more would ever be sent. And a socket that was opened in vain is closed.
        """
        try:
            await super()._process_connect_init()
        except BaseException:
            if self._transport is not None:
                self._transport.close()  # type: ignore[no-untyped-call]  # nats-py leaves it without types
            raise
        self._status = Client.CONNECTED

    async def _send_ping(self, future: asyncio.Future[bool] | None = None) -> None:
        """Behind everything that was given out to be sent.

        nats-py writes a ping at once and leaves the rest to its task that sends. So the answer to a flush would say
        nothing of a subscription made just before: a message in between would be missed.
        """
        if self.is_connected and self._pending_data_size and self._transport is not None:
            self._transport.writelines(self._pending)
            self._pending, self._pending_data_size = [], 0
        await super()._send_ping(future)


async def _connected(options: Mapping[str, Any]) -> Client:
    connection = _Client(urlsplit(options["servers"][0]).netloc.rpartition("@")[0])
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
