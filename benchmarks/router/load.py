"""The other end of the benchmark, in a process of its own: so many connections, each asks again once it is answered.

`python -m benchmarks.router.load` takes an Order as JSON and prints a Result.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from statistics import quantiles

import httptools
import uvloop

from benchmarks.router.scene import ANSWER, MODEL, instance_at
from shared.secrets import Secrets
from shared.worker_tls import client_context
from tests.api.stage import MASTER_SECRET

WARM_UP_S = 1.0
OPENED_TOGETHER = 50
OK = 200


@dataclass(frozen=True)
class Order:
    """`events`: how many of a stream, 0 asks for no stream; `pause_s`: between two of them.

    `tls`: the worker itself is asked, in the router's place.
    """

    host: str
    port: int
    key: str
    connections: int
    seconds: float
    events: int = 0
    pause_s: float = 0.0
    model: str = MODEL
    tls: bool = False


@dataclass
class Result:
    """Rates and times are those after the warm-up; `answered` counts everything.

    `wrong`: answers that were not what the worker had said, or none at all.
    """

    requests_s: float = 0.0
    events_s: float = 0.0
    median_ms: float = 0.0
    p99_ms: float = 0.0
    answered: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)


class Tally:
    def __init__(self) -> None:
        self.counting = False
        self.over = False
        self.took: list[float] = []
        self.events = 0
        self.begun = 0
        self.answered = 0
        self.wrong = 0
        self.examples: list[str] = []

    def failed(self, what: str) -> None:
        self.wrong += 1
        if len(self.examples) < 3:  # noqa: PLR2004
            self.examples.append(what)


class Caller(asyncio.Protocol):
    """Judges each answer by its end and its size: a stream has to bring every event."""

    def __init__(self, order: Order, tally: Tally) -> None:
        self._order = order
        self._tally = tally
        self._request = request_of(order)
        self._ending = b"data: [DONE]\n\n" if order.events else ANSWER.encode()
        self._answered = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._tally.over:
            self._tally.failed(f"connection lost: {exc!r}")

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        if self._order.events:
            if not self._lines:
                self._tally.begun += 1
            lines = data.count(b"\n")
            self._lines += lines
            if self._tally.counting:
                self._tally.events += lines
            data = self._body[-20:] + data
            self._body = data[-40:]
        else:
            self._body += data

    def on_message_complete(self) -> None:
        took = time.perf_counter() - self._asked
        self._tally.answered += 1
        right = self._parser.get_status_code() == OK and self._ending in self._body
        if self._order.events and self._lines != 2 * (self._order.events + 1):
            right = False
        if not right:
            self._tally.failed(f"{self._parser.get_status_code()}, {self._lines} lines: {self._body[-200:]!r}")
        elif self._tally.counting:
            self._tally.took.append(took)
        if not self._tally.over:
            self._ask()

    def _ask(self) -> None:
        self._body = b""
        self._lines = 0
        self._asked = time.perf_counter()
        self._transport.write(self._request)


def request_of(order: Order) -> bytes:
    words = "Tell me about the capital of France, in one sentence. " * 10
    body = {"model": order.model, "messages": [{"role": "user", "content": words}], "temperature": 0.1}
    if order.events:
        body |= {"stream": True, "bench_events": order.events, "bench_pause_s": order.pause_s}
    content = json.dumps(body).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: {order.host}:{order.port}",
        f"Authorization: Bearer {order.key}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + content


async def main(order: Order) -> None:
    tally = Tally()
    loop = asyncio.get_running_loop()
    ours = Secrets(MASTER_SECRET).worker_certificates(instance_at(order.host), 1) if order.tls else None
    tls = ours and client_context(ours)
    for opened in range(0, order.connections, OPENED_TOGETHER):
        several = min(OPENED_TOGETHER, order.connections - opened)
        await asyncio.gather(
            *(
                loop.create_connection(lambda: Caller(order, tally), order.host, order.port, ssl=tls)
                for _ in range(several)
            )
        )
    await asyncio.sleep(WARM_UP_S)
    tally.counting, began = True, time.perf_counter()
    await asyncio.sleep(order.seconds)
    tally.counting, tally.over, took_s = False, True, time.perf_counter() - began
    result = Result(len(tally.took) / took_s, tally.events / 2 / took_s, answered=tally.answered)
    result.wrong, result.examples = tally.wrong, tally.examples
    if order.pause_s:
        result.wrong += order.connections - tally.begun
    if len(tally.took) > 1:
        percentile = quantiles(tally.took, n=100)
        result.median_ms, result.p99_ms = percentile[49] * 1e3, percentile[98] * 1e3
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    uvloop.run(main(Order(**json.loads(sys.argv[1]))))
