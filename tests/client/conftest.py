from collections.abc import Callable
from typing import Final, TypeAlias

import pytest

from coldstart_client import AsyncClient
from tests.api.conftest import stage
from tests.client.in_threads import in_threads

__all__ = ["stage"]

MakeClient: TypeAlias = Callable[..., AsyncClient]
BOTH: Final[dict[str, MakeClient]] = {"asynchronous": AsyncClient, "blocking": in_threads}


@pytest.fixture(params=BOTH)
def client_of(request: pytest.FixtureRequest) -> MakeClient:
    """A client of this url with this key: one of each kind."""
    return BOTH[request.param]
