"""How a worker that was set aside is probed."""

import asyncio
from typing import Final

from services.api.router.breakers import Probe
from services.api.router.table import Worker
from services.api.upstream import Upstream, UpstreamError

_OK: Final = 200


def prober(upstream: Upstream, timeout_s: float) -> Probe:
    """By vLLM's own `/health`: 200 once its engine is up."""

    async def healthy(worker: Worker) -> bool:
        headers = [(b"authorization", worker.authorization)]
        try:
            async with (
                asyncio.timeout(timeout_s),
                upstream.ask(worker.address, b"GET", b"/health", headers, b"") as answer,
            ):
                return answer.status == _OK
        except (UpstreamError, TimeoutError):
            return False

    return healthy
