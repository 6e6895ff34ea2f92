import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping

import pytest
import uvloop

from services.api.upstream import Upstream
from tests.api.upstream import raw_worker


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The services run on uvloop; asyncio's transports end differently, and are what other tests use."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.SelectorEventLoop}


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def over_tls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same test against workers without and with TLS."""
    monkeypatch.setattr(raw_worker, "OVER_TLS", request.param)


@pytest.fixture
async def upstream() -> AsyncGenerator[Upstream]:
    upstream = Upstream(connect_s=3600.0, silence_s=3600.0, kept_alive_s=3600.0)
    yield upstream
    await upstream.close()
