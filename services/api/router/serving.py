"""One request for a model: passed to a worker, or held until one is ready, and accounted for."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from litestar.types import Receive

from services.api.access.api_keys import ApiKey
from services.api.catalogue.resolution import Resolved
from services.api.http.connection import WhileConnected
from services.api.http.statuses import CLIENT_LEFT, LOWEST_ERROR
from services.api.router import metrics
from services.api.router.bodies import Body
from services.api.router.endpoints import Endpoint
from services.api.router.forwarding import Forwarding, Outgoing, Served
from services.api.router.key_limits import KeyLimiter
from services.api.router.refusal import Refusal
from services.api.router.response import Response
from services.api.router.tally import Tokens
from services.api.router.unready import Unready
from services.api.router.waiting import Waiting, heartbeat
from services.api.usage.log import Usage, UsageLog
from shared.lifecycle.instance import Instance

PASSED_ON: Final = frozenset({b"accept", b"traceparent", b"tracestate"})
"""The client's headers that a worker gets; never its key, its cookies or its connection's headers."""
_TIMEOUTS: Final = (b"x-stainless-read-timeout", b"x-stainless-timeout")
"""Headers in which the clients of OpenAI and Anthropic say how many seconds they wait (Python's and Node's)."""
_BYTES_A_TOKEN: Final = 4
_FREE: Final = Tokens(0, 0)


@dataclass(frozen=True, slots=True)
class Incoming:
    """`headers` by lower-case name; `began` by `time.perf_counter`, `at` by the clock.

    `confirm` raises Refusal if the key may no longer use this name, or it now means another model.
    """

    path: str
    endpoint: Endpoint
    headers: Mapping[bytes, bytes]
    request_id: bytes
    owner: ApiKey
    body: Body
    streams: bool
    hides_usage: bool
    found: Resolved
    began: float
    at: datetime
    confirm: Callable[[], None]

    @property
    def model(self) -> str:
        return self.found.model.model


class Serving:
    """`longest_s`: after it no other worker is asked, even if the client would wait longer."""

    def __init__(
        self,
        *,
        forwarding: Forwarding,
        waiting: Waiting,
        unready: Unready,
        limits: KeyLimiter,
        usage: UsageLog,
        longest_s: float,
    ) -> None:
        self._forwarding = forwarding
        self._waiting = waiting
        self._unready = unready
        self._limits = limits
        self._usage = usage
        self._longest_s = longest_s

    async def serve(self, incoming: Incoming, receive: Receive, response: Response) -> None:
        """Raises Refusal, BrokenOff."""
        served = Served(incoming.began)
        response.own += [
            (b"x-coldstart-model", incoming.model.encode()),
            (b"x-coldstart-rule", incoming.found.rule.encode()),
        ]
        async with WhileConnected(receive, lambda: response.complete):
            try:
                await self._answer(incoming, response, served)
            except Refusal as refusal:
                served.status = refusal.status
                raise
            except asyncio.CancelledError:
                served.status = CLIENT_LEFT
                raise
            finally:
                self._account(incoming, served)

    async def _answer(self, incoming: Incoming, response: Response, served: Served) -> None:
        headers, organization = incoming.headers, incoming.owner.organization_id
        seconds = _seconds_to_wait(headers)
        outgoing = Outgoing(
            model=incoming.model,
            organization=organization,
            path=incoming.path.encode(),
            headers=[
                (b"x-request-id", incoming.request_id),
                (b"content-type", headers.get(b"content-type", b"application/json")),
                *((name, value) for name, value in headers.items() if name in PASSED_ON),
            ],
            body=incoming.body,
            session=headers.get(b"x-session-id"),
            endpoint=incoming.endpoint,
            hides_usage=incoming.hides_usage,
            deadline=self._deadline(headers),
        )
        if await self._forwarding.forward(outgoing, response, served):
            return
        if seconds:

            async def beat(instance: Instance) -> None:
                if incoming.streams:
                    await response.begin_stream()
                    await response.body(heartbeat(instance))

            await self._waiting.until_ready(incoming.model, incoming.owner, seconds, beat)
            incoming.confirm()
            outgoing = replace(outgoing, deadline=self._deadline(headers))
            if await self._forwarding.forward(outgoing, response, served):
                return
        raise self._unready.refusal(incoming.model, organization, datetime.now(UTC))

    def _deadline(self, headers: Mapping[bytes, bytes]) -> float:
        return asyncio.get_running_loop().time() + _patience_s(headers, self._longest_s)

    def _account(self, incoming: Incoming, served: Served) -> None:
        """Record the usage; none if no worker was asked."""
        if served.instance_id is None or served.status is None:
            return
        tokens, first_byte_s = _FREE if incoming.endpoint.free else served.tokens, served.first_byte_s
        if served.status < LOWEST_ERROR or served.status == CLIENT_LEFT:
            self._limits.used(incoming.owner, _charged(incoming, tokens))
        if tokens is not None:
            metrics.tokens.labels("prompt").inc(tokens.prompt)
            metrics.tokens.labels("completion").inc(tokens.completion)
        if first_byte_s is not None:
            metrics.first_byte.observe(first_byte_s)
        self._usage.add(
            Usage(
                id=uuid4(),
                at=incoming.at,
                key_id=incoming.owner.id,
                organization_id=incoming.owner.organization_id,
                model=incoming.model,
                instance_id=served.instance_id,
                endpoint=incoming.path,
                status=served.status,
                prompt_tokens=None if tokens is None or (tokens.estimated and not tokens.prompt) else tokens.prompt,
                completion_tokens=None if tokens is None else tokens.completion,
                estimated=tokens is not None and tokens.estimated,
                first_byte_ms=None if first_byte_s is None else first_byte_s * 1000,
                duration_ms=(time.perf_counter() - served.began) * 1000,
            )
        )


def _charged(incoming: Incoming, tokens: Tokens | None) -> int:
    """Tokens charged to the key's limit. A prompt with unknown tokens counts a quarter of its bytes."""
    if tokens is not None and (tokens.prompt or not tokens.estimated):
        return tokens.total
    return incoming.body.received // _BYTES_A_TOKEN + (tokens.completion if tokens else 0)


def _patience_s(headers: Mapping[bytes, bytes], longest_s: float) -> float:
    """How long the client waits, as far as it says."""
    return min(longest_s, *(_number(headers.get(name)) or longest_s for name in _TIMEOUTS))


def _seconds_to_wait(headers: Mapping[bytes, bytes]) -> float:
    """0 for a client that does not wait. Raises Refusal."""
    given = headers.get(b"x-wait-for-ready")
    if given is None:
        return 0.0
    seconds = _number(given)
    if seconds is None:
        raise Refusal(400, "invalid_header", "X-Wait-For-Ready must be a number of seconds.", param="X-Wait-For-Ready")
    return seconds


def _number(given: bytes | None) -> float | None:
    """Not negative and finite, or None."""
    try:
        number = float(given or b"")
    except ValueError:
        return None
    return number if number >= 0 and math.isfinite(number) else None
