"""How a worker that was set aside is asked whether it is well."""

import asyncio
from typing import Final

from services.api.router.breakers import Probe
from services.api.router.table import Worker
from services.api.upstream import Upstream, UpstreamError

_TIMEOUT_S: Final = 5.0
_OK: Final = 200


def prober(upstream: Upstream) -> Probe:
    """By vLLM's own `/health`: 200 once its engine is up."""

    async def well(worker: Worker) -> bool:
        headers = [(b"authorization", worker.authorization)]
        try:
            async with (
                asyncio.timeout(_TIMEOUT_S),
                upstream.ask(worker.address, b"GET", b"/health", headers, b"") as answer,
            ):
                return answer.status == _OK
        except (UpstreamError, TimeoutError):
            return False

    return well
