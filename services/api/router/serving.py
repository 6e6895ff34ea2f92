"""One request for a model: passed to a worker, or held until one is ready, and accounted for."""

import asyncio
import math
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from random import randbytes
from typing import Final, NamedTuple

from asyncpg.pgproto.pgproto import UUID
from litestar.types import Scope

from services.api.access.api_keys import ApiKey
from services.api.catalogue.resolution import Resolved
from services.api.http.connection import WhileConnected
from services.api.http.statuses import CLIENT_LEFT, LOWEST_ERROR
from services.api.router import metrics
from services.api.router.bodies import Body
from services.api.router.endpoints import Endpoint
from services.api.router.fallback import HEADER as FALLBACK
from services.api.router.fallback import Fallback
from services.api.router.forwarding import Forwarding, Outgoing, Served
from services.api.router.key_limits import KeyLimiter
from services.api.router.load_counts import LoadCounts
from services.api.router.refusal import Refusal
from services.api.router.response import Response
from services.api.router.tally import Tokens
from services.api.router.unready import Unready
from services.api.router.waiting import Waiting, heartbeat, hold_s
from services.api.usage.log import Usage, UsageLog
from shared.clock import CLOCK
from shared.deployments.deployment import Deployment
from shared.lifecycle.instance import Instance

PASSED_ON: Final = frozenset({b"accept", b"traceparent", b"tracestate"})
"""The client's headers that a worker gets; never its key, its cookies or its connection's headers."""
_TIMEOUTS: Final = (b"x-stainless-read-timeout", b"x-stainless-timeout")
"""Headers in which the clients of OpenAI and Anthropic say how many seconds they wait (Python's and Node's)."""
_BYTES_A_TOKEN: Final = 4
_FREE: Final = Tokens(0, 0)


class Incoming(NamedTuple):
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
        fallback: Fallback,
        counts: LoadCounts,
        limits: KeyLimiter,
        usage: UsageLog,
        longest_s: float,
    ) -> None:
        self._forwarding = forwarding
        self._waiting = waiting
        self._unready = unready
        self._fallback = fallback
        self._counts = counts
        self._limits = limits
        self._usage = usage
        self._longest_s = longest_s

    async def serve(self, incoming: Incoming, scope: Scope, response: Response) -> None:
        """Raises Refusal, BrokenOff."""
        served = Served(incoming.began)
        response.own += [
            (b"x-coldstart-model", incoming.model.encode()),
            (b"x-coldstart-rule", incoming.found.rule.encode()),
        ]
        async with WhileConnected(scope):
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
        given = _seconds_to_wait(incoming.headers)
        outgoing = self._outgoing(incoming)
        if await self._forwarding.forward(outgoing, response, served):
            return
        organization, waited_for = incoming.owner.organization_id, None
        waking = self._counts.deployments.waking(incoming.model, organization)
        if served.failure is not None:
            await self._expect_another(outgoing, served, given, waking)
        if not given and await self._answered_by_fallback(incoming, outgoing, response, served):
            if waking is not None:
                self._counts.call(waking.id)
            return
        served.deployment_id = waking.id if waking else None
        if given is None and waking is not None:
            passed_s = time.perf_counter() - incoming.began
            patience_s = math.inf if incoming.streams else _patience_s(incoming.headers, math.inf) - passed_s
            given = hold_s(waking.wish.scaling.hold, patience_s)
        if given:
            waited_for = await self._wait(incoming, response, served, given)
            outgoing = outgoing._replace(deadline=self._deadline(incoming.headers))
            if await self._forwarding.forward(outgoing, response, served):
                return
        elif waking is not None:
            self._counts.call(waking.id)
        raise served.failure or self._unready.refusal(incoming.model, organization, CLOCK.now(), waited_for)

    async def _expect_another(
        self, outgoing: Outgoing, served: Served, given: float | None, waking: Deployment | None
    ) -> None:
        """Raises what all who were asked have failed with, unless the request may wait for another worker."""
        hopeless = waking is None or given == 0
        if served.failure is not None and (hopeless or not await self._forwarding.may_be_replaced(outgoing, served)):
            raise served.failure

    async def _wait(self, incoming: Incoming, response: Response, served: Served, seconds: float) -> uuid.UUID | None:
        """The deployment that it has waited for, if any. Raises Refusal."""

        async def beat(awaited: Instance | Deployment) -> None:
            if incoming.streams:
                await response.begin_stream()
                await response.body(heartbeat(awaited, CLOCK.now()))

        waited_for = await self._waiting.until_ready(incoming.model, incoming.owner, served.tried, seconds, beat)
        incoming.confirm()
        return waited_for

    async def _answered_by_fallback(
        self, incoming: Incoming, outgoing: Outgoing, response: Response, served: Served
    ) -> bool:
        """Whether another model has answered instead. Raises like `forward`."""
        endpoint, body = incoming.endpoint, incoming.body
        model = self._fallback.of(incoming.model, endpoint.tasks, incoming.owner)
        if model is None:
            return False
        own = body.content
        await self._fallback.put_into(body, model, endpoint)
        served.fallback, failure, served.failure = model, served.failure, None
        response.own.append(told := (FALLBACK, model.encode()))
        if await self._forwarding.forward(outgoing._replace(model=model), response, served):
            return True
        if served.failure is not None:
            raise served.failure
        served.failure = failure
        body.content, served.fallback = own, None
        response.own.remove(told)
        return False

    def _outgoing(self, incoming: Incoming) -> Outgoing:
        headers = incoming.headers
        return Outgoing(
            model=incoming.model,
            organization=incoming.owner.organization_id,
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

    def _deadline(self, headers: Mapping[bytes, bytes]) -> float:
        return asyncio.get_running_loop().time() + _patience_s(headers, self._longest_s)

    def _account(self, incoming: Incoming, served: Served) -> None:
        """Record the usage; none if no worker was asked."""
        if served.instance_id is None:
            if served.deployment_id is not None:
                self._counts.refused[served.deployment_id] += 1
            return
        self._counts.answered[served.instance_id] += 1
        if served.status is None:
            return
        tokens, first_byte_s = _FREE if incoming.endpoint.free else served.tokens, served.first_byte_s
        if served.status < LOWEST_ERROR or served.status == CLIENT_LEFT:
            self._limits.used(incoming.owner, _charged(incoming, tokens))
        if tokens is not None:
            metrics.prompt_tokens.inc(tokens.prompt)
            metrics.completion_tokens.inc(tokens.completion)
        if first_byte_s is not None:
            metrics.first_byte.observe(first_byte_s)
        self._usage.add(
            Usage(
                id=UUID(randbytes(16)),  # noqa: S311  not a secret
                at=incoming.at,
                key_id=incoming.owner.id,
                organization_id=incoming.owner.organization_id,
                model=served.fallback or incoming.model,
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
    for name in _TIMEOUTS:
        longest_s = min(longest_s, _number(headers.get(name)) or longest_s)
    return longest_s


def _seconds_to_wait(headers: Mapping[bytes, bytes]) -> float | None:
    """None if the client does not say. Raises Refusal."""
    given = headers.get(b"x-wait-for-ready")
    if given is None:
        return None
    seconds = _number(given)
    if seconds is None:
        raise Refusal(400, "invalid_header", "X-Wait-For-Ready must be a number of seconds.", param="X-Wait-For-Ready")
    return seconds


def _number(given: bytes | None) -> float | None:
    """Not negative and finite, or None."""
    if given is None:
        return None
    try:
        number = float(given)
    except ValueError:
        return None
    return number if number >= 0 and math.isfinite(number) else None
