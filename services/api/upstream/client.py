"""One request to one worker, from its connection to its connection's return."""

from contextlib import AbstractAsyncContextManager

from services.api.upstream.answer import Answer
from services.api.upstream.pool import Pool
from services.api.upstream.request import Address, Headers, head_of, said_close


class Upstream:
    """The client of all workers.

    `connect_s`: for a connection to be made; `silence_s`: how long a worker may say nothing while it is waited for;
    `kept_alive_s`: how long a connection is kept for the next request. It should be less than what the worker keeps it
    (five seconds, for vLLM), so that no request meets its end.
    """

    def __init__(self, *, connect_s: float, silence_s: float, kept_alive_s: float = 2.0) -> None:
        self._pool = Pool(connect_s=connect_s, silence_s=silence_s, kept_alive_s=kept_alive_s)

    @property
    def in_use(self) -> int:
        """Connections that carry a request now."""
        return self._pool.in_use

    @property
    def idle(self) -> int:
        return self._pool.idle

    def ask(
        self, address: Address, method: bytes, path: bytes, headers: Headers, body: bytes
    ) -> AbstractAsyncContextManager[Answer]:
        """Send a request; the block begins when the answer's head is there. Raises UpstreamError.

        `headers` go out as they are, but Host and Content-Length are set here. When the block is left, by whatever
        way, before all of the answer was there, the connection is closed at once: so the worker stops working.

        Nothing is ever sent twice. A kept connection on which its worker's end is known to have come is not used; one
        whose end crosses the request on its way is lost like any other: nobody can tell then what the worker has read.
        """
        head = head_of(address, method, path, headers, body)
        return _Exchange(self._pool, address, head, body, to_head=method == b"HEAD", last=said_close(headers))

    async def close(self) -> None:
        """Close every connection, those in use too."""
        await self._pool.close()


class _Exchange(AbstractAsyncContextManager[Answer]):
    """A class, since @asynccontextmanager costs as much as all the rest of it."""

    __slots__ = ("_address", "_body", "_connection", "_head", "_last", "_pool", "_to_head")

    def __init__(self, pool: Pool, address: Address, head: bytes, body: bytes, *, to_head: bool, last: bool) -> None:
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
            self._body = b""  # of what is not sent yet, the connection keeps hold
            await answer.head()
        except BaseException:
            self._pool.give_back(connection)
            raise
        return answer

    async def __aexit__(self, *_: object) -> None:
        self._pool.give_back(self._connection)
