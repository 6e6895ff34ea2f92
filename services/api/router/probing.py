"""How a worker's health is probed."""

import asyncio

from services.api.router.breakers import Probe
from services.api.router.table import Worker
from services.api.upstream import Upstream, UpstreamError


def prober(upstream: Upstream, timeout_s: float) -> Probe:
    """By vLLM's own `/health`: 200 while its engine is up, 503 when that is dead."""

    async def probe(worker: Worker) -> int | None:
        headers = [(b"authorization", worker.authorization)]
        try:
            async with (
                asyncio.timeout(timeout_s),
                upstream.ask(worker.address, b"GET", b"/health", headers, b"") as answer,
            ):
                return answer.status
        except (UpstreamError, TimeoutError):
            return None

    return probe
