"""One request to one worker, from taking a connection to returning it."""

from contextlib import AbstractAsyncContextManager

from services.api.upstream.answer import Answer
from services.api.upstream.pool import WorkerPool
from services.api.upstream.request import Address, Headers, head_of


class Upstream:
    """The client of all workers.

    `connect_s`: limit for opening a connection; `silence_s`: how long an awaited worker may be silent, also when TLS
    is to begin, for a busy worker begins late;
    `kept_alive_s`: how long a connection is kept for the next request. This should be less than the worker's own limit
    (five seconds, for vLLM), so that no request meets a closing connection.
    """

    def __init__(self, *, connect_s: float, silence_s: float, kept_alive_s: float = 2.0) -> None:
        self._pool = WorkerPool(connect_s=connect_s, silence_s=silence_s, kept_alive_s=kept_alive_s)

    @property
    def in_use(self) -> int:
        """The number of connections with a request."""
        return self._pool.in_use

    @property
    def idle(self) -> int:
        return self._pool.idle

    def ask(
        self, address: Address, method: bytes, path: bytes, headers: Headers, body: bytes
    ) -> AbstractAsyncContextManager[Answer]:
        """Send a request; the block begins when the answer's head has arrived. Raises UpstreamError.

        `headers` are sent as they are, but Host and Content-Length are set here. If the block is left, in whatever
        way, before the answer is complete, the connection is closed at once, so that the worker stops.

        Nothing is ever sent twice. A kept connection that its worker has closed is not used. If the close crosses the
        request on its way, the request is lost: nobody can tell what the worker has read.
        """
        head, last = head_of(address, method, path, headers, body)
        return _Exchange(self._pool, address, head, body, to_head=method == b"HEAD", last=last)

    def stop(self) -> None:
        """Break off every answer: who waits for one gets Stopping."""
        self._pool.break_off()

    async def close(self) -> None:
        """Close every connection, including those in use."""
        await self._pool.close()


class _Exchange(AbstractAsyncContextManager[Answer]):
    """A class, since @asynccontextmanager alone would double its cost."""

    __slots__ = ("_address", "_body", "_connection", "_head", "_last", "_pool", "_to_head")

    def __init__(
        self, pool: WorkerPool, address: Address, head: bytes, body: bytes, *, to_head: bool, last: bool
    ) -> None:
        self._pool = pool
        self._address = address
        self._head = head
        self._body = body
        self._to_head = to_head
        self._last = last

    async def __aenter__(self) -> Answer:
        connection = self._pool.take(self._address) or await self._pool.open(self._address)
        self._connection = connection
        try:
            answer = connection.send(self._head, self._body, to_head=self._to_head, last=self._last)
            self._body = b""  # the connection still holds what is not sent yet
            await answer.head()
        except BaseException:
            self._pool.give_back(connection)
            raise
        return answer

    async def __aexit__(self, *_: object) -> None:
        self._pool.give_back(self._connection)
