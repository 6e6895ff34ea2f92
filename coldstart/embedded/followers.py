"""The followers' server. The stack continues, whatever followers do to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from coldstart.embedded.keeping import kept
from coldstart.embedded.nats import FollowersNats


@asynccontextmanager
async def followers_server(data_dir: Path) -> AsyncIterator[FollowersNats]:
    """It is started again for ever. Raises EmbeddedServerError if its first start fails."""
    server = FollowersNats(data_dir)
    async with kept(server, most=None):
        yield server
