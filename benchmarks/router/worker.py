"""A worker that costs next to nothing: `python -m benchmarks.router.worker HOSTS PORT TLS_PORT` answers as vLLM would.

It listens on several addresses, with commas between them, as if it were several.

Without `"stream": true` with one answer, made beforehand; with it with `bench_events` events, as fast as they are taken
or one every `bench_pause_s`.
"""

import asyncio
import json
import sys
from typing import Any

import httptools
import uvloop

from benchmarks.router.scene import ANSWER, MODEL, instance_at
from shared.secrets import Secrets
from tests.api.stage import MASTER_SECRET
from tests.worker_tls.workers import server_context

USAGE = {"prompt_tokens": 120, "completion_tokens": 9, "total_tokens": 129}


def made(kind: str, **more: Any) -> bytes:
    return json.dumps({"id": "x-1", "object": kind, "created": 1_700_000_000, "model": MODEL, **more}).encode()


def whole() -> bytes:
    message = {"role": "assistant", "content": ANSWER}
    choices = [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]
    body = made("chat.completion", choices=choices, usage=USAGE)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def chunk(data: bytes) -> bytes:
    event = b"data: %b\n\n" % data
    return b"%x\r\n%b\r\n" % (len(event), event)


WHOLE = whole()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
TOKEN = chunk(
    made("chat.completion.chunk", choices=[{"index": 0, "delta": {"content": " Paris"}, "finish_reason": None}])
)
TOLD_USAGE = chunk(made("chat.completion.chunk", choices=[], usage=USAGE))
DONE = chunk(b"[DONE]") + b"0\r\n\r\n"


class Worker(asyncio.Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._left = 0
        self._may_write = True

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        request = json.loads(body) if b'"stream"' in body else {}
        if not request.get("stream"):
            self._transport.write(WHOLE)
            return
        self._left = request.get("bench_events", 3)
        self._pause_s = request.get("bench_pause_s", 0)
        self._tells_usage = bool((request.get("stream_options") or {}).get("include_usage"))
        self._transport.write(HEAD)
        self._go_on()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._go_on()

    def _go_on(self) -> None:
        """Every event in a write of its own, as vLLM does it."""
        if not self._left or not self._may_write or self._transport.is_closing():
            return
        self._left -= 1
        if self._left:
            self._transport.write(TOKEN)
            self._loop.call_later(self._pause_s, self._go_on)
        else:
            self._transport.write(TOKEN + (TOLD_USAGE if self._tells_usage else b"") + DONE)


async def main(hosts: list[str], port: int, tls_port: int) -> None:
    """Plain HTTP on `port`; on `tls_port` mutual TLS, at each address as the worker of another instance."""
    loop = asyncio.get_running_loop()
    secrets = Secrets(MASTER_SECRET)
    servers = [await loop.create_server(Worker, hosts, port, backlog=2048)]
    for host in hosts:
        context = server_context(secrets.worker_certificates(instance_at(host), 1))
        servers.append(await loop.create_server(Worker, host, tls_port, backlog=2048, ssl=context))
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1].split(","), int(sys.argv[2]), int(sys.argv[3])))
