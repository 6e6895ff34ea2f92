"""Workers that are always well: `python -m benchmarks.watch.workers PORT mutual|off`, the secret and the ids on stdin.

They listen on one port of as many loopback addresses, each with the certificate of its instance. They answer with as
little work as possible, so that the benchmark measures who asks.
"""

import asyncio
import ssl
import sys
from contextlib import suppress
from functools import cache
from ipaddress import IPv4Address
from typing import Final, cast
from uuid import UUID

from benchmarks.watch.places import MODEL, address_of, number_of
from shared.secrets import Secrets
from shared.worker_tls import show

_LIST: Final = b'{"object":"list","data":[{"id":"%s","object":"model","max_model_len":32768}]}' % MODEL.encode()
_COUNTS: Final = b"""\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="x"} 0.0
vllm:num_requests_waiting{engine="0",model_name="x"} 0.0
vllm:prompt_tokens_total{engine="0",model_name="x"} 1234.0
vllm:generation_tokens_total{engine="0",model_name="x"} 5678.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="x"} 90.0
"""
_OTHERS: Final = b"".join(
    b'vllm:some_seconds_bucket{engine="0",le="%d",model_name="x"} 0.0\n' % number for number in range(1000)
)
"""Of a real worker's metrics, some 60 kB, only few lines matter; the others are there to be passed over."""


def _answer(body: bytes, kind: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-length: %d\r\ncontent-type: %s\r\n\r\n"
    return head % (len(body), kind) + body


_ANSWERS: Final = {
    b"/health": _answer(b"", b"text/plain"),
    b"/v1/models": _answer(_LIST, b"application/json"),
    b"/metrics": _answer(_COUNTS + _OTHERS, b"text/plain"),
}


class Worker(asyncio.Protocol):
    """One connection. A request fits into one piece."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._early:
            self.data_received(self._early)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:  # the first request may come with the end of the handshake
            self._early = data
        else:
            self._transport.write(_ANSWERS[data.split(b" ", 2)[1]])


class Secured(asyncio.Protocol):
    """Begins TLS with the certificate of the address that was connected to."""

    def __init__(self, contexts: "Contexts") -> None:
        self._contexts = contexts
        self._upgrade: asyncio.Task[object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain = cast("asyncio.Transport", transport)
        plain.pause_reading()
        self._upgrade = asyncio.create_task(self._upgraded(plain))

    async def _upgraded(self, plain: asyncio.Transport) -> None:
        loop, worker = asyncio.get_running_loop(), Worker()
        context = self._contexts.of(plain.get_extra_info("sockname")[0])
        with suppress(OSError):  # whoever asked has left
            secured = await loop.start_tls(plain, worker, context, server_side=True)
            if secured is not None:
                worker.connection_made(secured)


class Contexts:
    def __init__(self, secrets: Secrets, ids: list[UUID]) -> None:
        self._secrets, self._ids = secrets, ids

    @cache  # noqa: B019  as many as workers
    def of(self, address: str) -> ssl.SSLContext:
        certificates = self._secrets.worker_certificates(self._ids[number_of(IPv4Address(address))], 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=certificates.client.certificate)
        show(context, certificates.worker)
        return context


async def main(port: int, tls: str) -> None:
    secret, *ids = sys.stdin.read().split("\n")
    contexts = Contexts(Secrets(secret), [UUID(each) for each in ids])
    if tls == "mutual":
        for number in range(len(ids)):
            contexts.of(str(address_of(number)))
    factory = Worker if tls == "off" else lambda: Secured(contexts)
    server = await asyncio.get_running_loop().create_server(factory, "0.0.0.0", port, backlog=4096)  # noqa: S104  in loopback's network
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
