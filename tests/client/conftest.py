from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import pytest

from coldstart_client import AsyncClient
from tests.api.conftest import stage
from tests.client.in_threads import in_threads
from tests.coldstart.fake_api import FakeApi, fake_api

__all__ = ["stage"]

MakeClient: TypeAlias = Callable[..., AsyncClient]
BOTH: Final[dict[str, MakeClient]] = {"asynchronous": AsyncClient, "blocking": in_threads}


@pytest.fixture(params=BOTH)
def client_of(request: pytest.FixtureRequest) -> MakeClient:
    """A client of this url with this key: one of each kind."""
    return BOTH[request.param]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as serving:
        yield serving
