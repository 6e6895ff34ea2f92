"""The way to a worker and back: a request goes out as it came, the answer comes back byte for byte."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import structlog
from litestar.types import Send

from services.api.openai_errors import Refusal
from services.api.routing import RoutingTable, Worker

PASSED_ON: Final = frozenset({b"content-type", b"accept", b"traceparent", b"tracestate", b"x-request-id"})
"""Of the client's headers; its key, its cookies and what describes its connection are not for the worker."""
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"date",
        b"server",
    }
)
"""RFC 9110, 7.6.1; and what our own server says of itself."""
_KEPT_ALIVE_S: Final = 2.0
"""Shorter than vLLM's five seconds, so that no request is sent along a connection that is just being closed."""
_OWN_KEY_REFUSED: Final = frozenset({401, 403})
_ELSEWHERE: Final = range(300, 400)

Headers = Sequence[tuple[bytes, bytes]]

log = structlog.get_logger()


class WorkerClient:
    def __init__(self, session: aiohttp.ClientSession, routes: RoutingTable) -> None:
        self._session = session
        self._routes = routes

    async def forward(
        self, workers: Iterable[Worker], path: str, headers: Iterable[tuple[bytes, bytes]], body: bytes, send: Send
    ) -> None:
        """Let the first worker that takes the request answer it.

        Another one is only asked when no connection could be made. Raises Refusal before anything was sent.
        """
        passed_on = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name in PASSED_ON}
        for worker in workers:
            authorized = {**passed_on, "authorization": f"Bearer {worker.api_key}"}
            try:
                with self._routes.busy(worker):
                    async with self._session.post(
                        worker.url + path, data=body, headers=authorized, allow_redirects=False
                    ) as response:
                        await self._pass_back(response, worker, send)
                    return
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                log.warning("worker not reachable", instance_id=str(worker.instance_id), reason=repr(error))
            except TimeoutError as error:
                raise Refusal(504, "worker_timeout", "The worker took too long to answer; try again.") from error
            except aiohttp.ClientError as error:
                log.warning("worker failed", instance_id=str(worker.instance_id), reason=repr(error))
                message = "The worker broke off before it answered; try again."
                raise Refusal(502, "worker_failed", message) from error
        raise Refusal(502, "worker_unreachable", "The worker cannot be reached; try again in a moment.")

    async def _pass_back(self, response: aiohttp.ClientResponse, worker: Worker, send: Send) -> None:
        if response.status in _OWN_KEY_REFUSED:
            log.warning("worker refused our key", instance_id=str(worker.instance_id), status=response.status)
            raise Refusal(502, "worker_refused", "The worker is not the one we know; it is about to be replaced.")
        if response.status in _ELSEWHERE:
            log.warning("worker pointed elsewhere", instance_id=str(worker.instance_id), status=response.status)
            raise Refusal(502, "worker_failed", "The worker answered with a redirection, which is never followed.")
        headers = [(name.lower(), value) for name, value in response.raw_headers]
        if response.content_type != "text/event-stream":
            # Read whole: an answer that breaks off is then an error and not half an answer.
            body = await response.read()
            kept = [*_kept(headers, without=b"content-length"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": response.status, "headers": kept})
            await send({"type": "http.response.body", "body": body, "more_body": False})
            return
        await send({"type": "http.response.start", "status": response.status, "headers": list(_kept(headers))})
        try:
            async for chunk in response.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("worker broke off", instance_id=str(worker.instance_id), reason=repr(error))
            lost = Refusal(502, "worker_failed", "The worker broke off in the middle of its answer; try again.")
            await send({"type": "http.response.body", "body": b"\n\ndata: " + lost.body() + b"\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _kept(headers: Headers, *, without: bytes = b"") -> Iterable[tuple[bytes, bytes]]:
    """What is not about the connection between us and the worker (it may name further such fields itself)."""
    named = {field.strip().lower() for name, value in headers if name == b"connection" for field in value.split(b",")}
    return ((name, value) for name, value in headers if name not in _HOP_BY_HOP | named | {without})


@asynccontextmanager
async def worker_session(*, connect_s: float, silence_s: float) -> AsyncGenerator[aiohttp.ClientSession]:
    """One pool for all workers. `silence_s`: how long a worker may say nothing."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_ALIVE_S)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=silence_s),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    ) as session:
        yield session
