"""Forwards a request to a worker, and its answer back byte for byte.

docs/routing.md has the contract: which failures go to another worker, and which do not.
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from services.api.router import metrics
from services.api.router.balance import Balance
from services.api.router.bodies import Body
from services.api.router.breakers import Breakers
from services.api.router.endpoints import Endpoint
from services.api.router.refusal import Refusal
from services.api.router.response import EVENT_STREAM, Response
from services.api.router.response_headers import content_type, is_coded, passed_back
from services.api.router.table import RoutingTable, Worker
from services.api.router.tally import StreamTally, Tally, Tokens, TooLong, WholeTally
from services.api.router.tried import Tried
from services.api.upstream import Answer, ConnectFailed, Silent, Stopping, Upstream, UpstreamError

RETRIES: Final = 2
_UNAVAILABLE: Final = frozenset({502, 503})
_OWN_KEY_REFUSED: Final = frozenset({401, 403})
_ANSWERS: Final = frozenset(range(200, 600)) - frozenset(range(300, 400))
_FAULT: Final = 500
_RETRY_AFTER: Final = {"Retry-After": "5"}
_NOT_FOUND: Final = 404
_NO_SUCH_PATH: Final = b'{"detail":"Not Found"}'
"""Of FastAPI, and so of a vLLM whose version does not have the path. It says otherwise that a model is missing."""
_SHOWN: Final = 500
_ERROR_EVENT: Final = re.compile(rb'"error"\s*:\s*\{')
"""Cannot match inside a string: its quotes would be escaped there."""
_LONGEST_WHOLE: Final = 1_048_576
"""The most bytes of an answer that its client can get only as one event."""
STALE: Final = "The router has lost contact with the event stream and does not know who is ready. Try again soon."
log = structlog.get_logger()


class Outgoing(NamedTuple):
    """`organization` is the caller's; after `deadline`, by the event loop's clock, no other worker is asked."""

    model: str
    organization: UUID | None
    path: bytes
    headers: list[tuple[bytes, bytes]]
    body: Body
    session: bytes | None
    endpoint: Endpoint
    hides_usage: bool
    deadline: float


@dataclass(slots=True)
class Served:
    """Which worker answered, with which status, and the usage as far as known. Times in seconds since `began`.

    If an answer breaks off, `status` is that of the error that ends it, whatever was in its head. `fallback`: the model
    that was asked instead. `deployment_id`: the one that would have woken for it, since no worker was ready. `failure`:
    what to answer if no other worker than those in `tried` can be asked.
    """

    began: float
    instance_id: UUID | None = None
    fallback: str | None = None
    deployment_id: UUID | None = None
    status: int | None = None
    first_byte_s: float | None = None
    tally: Tally | None = None
    tried: Tried = field(default_factory=Tried)
    failure: Refusal | None = None

    @property
    def tokens(self) -> Tokens | None:
        return self.tally.tokens if self.tally else None


class BrokenOff(Exception):
    """The worker was lost during an answer that cannot carry an error: the connection must be cut."""


class Forwarding:
    """`is_stale` says whether the table has heard nothing from the stream for too long."""

    def __init__(
        self,
        upstream: Upstream,
        table: RoutingTable,
        balance: Balance,
        breakers: Breakers,
        *,
        is_stale: Callable[[], bool],
    ) -> None:
        self._upstream = upstream
        self._table = table
        self._is_stale = is_stale
        self._balance = balance
        self._breakers = breakers

    async def forward(self, outgoing: Outgoing, response: Response, served: Served) -> bool:
        """Let a worker that was not asked yet answer; False if none is ready, or all have failed (`served.failure`).

        Raises Refusal, BrokenOff.
        """
        self._expect_fresh()
        tried = served.tried
        workers = self._others(outgoing, tried) if tried.count else self._usable(outgoing, tried)
        while workers:
            worker = self._balance.choose(workers, outgoing.session)
            if tried.count:
                metrics.retries.inc()
            tried.add(worker)
            with self._balance.busy(worker):
                served.failure = await self._try(worker, outgoing, response, served)
            if served.failure is None:
                return True
            self._expect_fresh()
            workers = self._others(outgoing, tried)
        return False

    async def may_be_replaced(self, outgoing: Outgoing, served: Served) -> bool:
        """Whether another worker may still be asked later, since the last one that has failed is not well."""
        worker = served.tried.last
        if worker is None or self._is_over(outgoing, served.tried):
            return False
        return not await self._breakers.is_well(worker)

    def _expect_fresh(self) -> None:
        """Raises Refusal if the table is stale."""
        if self._is_stale():
            raise Refusal(503, "routes_stale", STALE, headers=_RETRY_AFTER)

    def _others(self, outgoing: Outgoing, tried: Tried) -> Sequence[Worker]:
        """The workers that may be asked after these."""
        return [] if self._is_over(outgoing, tried) or self._is_stale() else self._usable(outgoing, tried)

    def _is_over(self, outgoing: Outgoing, tried: Tried) -> bool:
        return tried.count > RETRIES or asyncio.get_running_loop().time() >= outgoing.deadline

    def _usable(self, outgoing: Outgoing, tried: Tried) -> Sequence[Worker]:
        return self._breakers.usable(tried.others(self._table.workers(outgoing.model, outgoing.organization)))

    async def _try(self, worker: Worker, outgoing: Outgoing, response: Response, served: Served) -> Refusal | None:
        """None if it has answered; otherwise the refusal for when no other worker can be asked."""
        headers = [*outgoing.headers, (b"authorization", worker.authorization)]
        served.instance_id = worker.instance_id
        try:
            async with self._upstream.ask(
                worker.address, b"POST", outgoing.path, headers, outgoing.body.content
            ) as answer:
                served.status = answer.status
                if answer.status == _FAULT and self._serves(worker):
                    self._breakers.suspect(worker)
                if answer.status in _UNAVAILABLE and self._others(outgoing, served.tried):
                    return self._failed(worker, Refusal(answer.status, "worker_failed", "The worker is unavailable."))
                if (unusable := _unusable(answer)) is not None:
                    return self._failed(worker, unusable)
                first = await answer.chunk()
                if answer.request_taken:
                    outgoing.body.let_go()  # no other worker is asked from here on
                if answer.status == _NOT_FOUND and first == _NO_SUCH_PATH:
                    raise _path_missing(outgoing.path)
                served.first_byte_s = time.perf_counter() - served.began
                await self._pass_back(answer, first, worker, outgoing=outgoing, response=response, served=served)
        except ConnectFailed as error:
            served.tried.not_sent(worker)
            return self._failed(worker, _unreachable(), error)
        except (Silent, Stopping) as error:
            raise _given_up(error, "The worker took too long to answer.") from error
        except UpstreamError as error:
            return self._failed(worker, Refusal(502, "worker_failed", "The worker broke off before its answer."), error)
        return None

    def _failed(self, worker: Worker, failure: Refusal, error: Exception | None = None) -> Refusal:
        log.warning(
            "worker failed", instance_id=str(worker.instance_id), code=failure.code, reason=repr(error)[:_SHOWN]
        )
        if self._serves(worker):
            self._breakers.failed(worker)
        return failure

    def _serves(self, worker: Worker) -> bool:
        """Whether it is still the serving worker: late failures of an earlier attempt's worker do not count."""
        serving = self._table.worker(worker.instance_id)
        return serving is worker or serving == worker

    async def _pass_back(
        self, answer: Answer, chunk: bytes, worker: Worker, *, outgoing: Outgoing, response: Response, served: Served
    ) -> None:
        streams = content_type(answer.headers) == EVENT_STREAM
        one_event = response.begun and not streams  # the client waited, and its stream has begun
        tally = served.tally = _tally(outgoing) if streams else WholeTally()
        headers = passed_back(answer.status, answer.headers, streams=streams)
        headers.append((b"x-coldstart-instance", str(worker.instance_id).encode()))
        await response.begin(answer.status, headers, streams=streams)
        whole, rest = bytearray(), b""

        def take(chunk: bytes) -> bool:
            return response.push(tally.passing(chunk))

        try:
            while chunk:
                passing = tally.passing(chunk)
                if answer.at_end and not (streams or one_event):
                    rest = passing  # goes out with the end
                    break
                if one_event:
                    whole += passing
                    _expect_short(whole)
                elif passing:
                    await response.body(passing)
                chunk = await answer.chunk(take if streams else None)
        except (UpstreamError, TooLong) as error:
            lost = self._lost(worker, error)
            served.status = lost.status
            if not response.streams:
                raise BrokenOff from error
            event = response.format.event(lost, after=tally.events)
            await response.end_stream(event, inside_event=tally.inside_event)
            return
        self._concluded(worker, answer.status, tally.ending)
        if one_event:
            await response.end_stream(response.format.whole(answer.status, bytes(whole)))
        else:
            await response.end(rest + tally.rest())

    def _concluded(self, worker: Worker, status: int, ending: bytes) -> None:
        """Tell the breakers how a complete answer ended. `ending` is a stream's.

        vLLM ends a stream of a dead engine with an error event, since it cannot send the status 500 any more.
        """
        if status in _UNAVAILABLE:
            self._failed(worker, Refusal(status, "worker_failed", "The worker is unavailable."))
        elif status < _FAULT and self._serves(worker):
            if _ERROR_EVENT.search(ending):
                self._breakers.suspect(worker)
            else:
                self._breakers.succeeded(worker)

    def _lost(self, worker: Worker, error: Exception) -> Refusal:
        """The worker failed during its answer. Silence does not count against it: it may be working."""
        if isinstance(error, Silent | Stopping):
            return _given_up(error, "The worker fell silent during its answer.")
        return self._failed(worker, Refusal(502, "worker_failed", "The worker broke off during its answer."), error)


def _unreachable() -> Refusal:
    """Nothing was sent, so any client may send its request again."""
    return Refusal(503, "worker_unreachable", "The worker cannot be reached. Try again soon.", headers=_RETRY_AFTER)


def _given_up(error: Silent | Stopping, silent: str) -> Refusal:
    """That says nothing against the worker: a silent one may be working, and health decides whether it hangs."""
    if isinstance(error, Stopping):
        return Refusal(503, "stopping", "This server is stopping. Send the request again.", headers=_RETRY_AFTER)
    return Refusal(504, "worker_timeout", silent)


def _path_missing(path: bytes) -> Refusal:
    message = f"The version of vLLM that serves this model does not have {path.decode()}. Launch it with a later one."
    return Refusal(_NOT_FOUND, "path_not_served", message)


def _unusable(answer: Answer) -> Refusal | None:
    """Why this is not an answer to the client's request; None if it is."""
    if answer.status in _OWN_KEY_REFUSED:
        message = "The worker refused the router's key, so it is not the worker that the router knows."
        return Refusal(502, "worker_refused", message)
    if answer.status not in _ANSWERS:
        return Refusal(502, "worker_failed", "The worker answered with a redirect. The router follows none.")
    if is_coded(answer.headers):
        message = "The worker coded its answer, for example with gzip. The router did not ask for that."
        return Refusal(502, "worker_failed", message)
    return None


def _tally(outgoing: Outgoing) -> Tally:
    """What reads the usage of a stream."""
    return StreamTally(hides_usage=outgoing.hides_usage, in_parts=outgoing.endpoint.in_parts)


def _expect_short(whole: bytearray) -> None:
    if len(whole) > _LONGEST_WHOLE:
        raise TooLong(f"more than {_LONGEST_WHOLE} bytes instead of a stream")
