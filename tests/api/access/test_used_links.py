"""A sign-in link works once, also while the database's clock is minutes ahead of the api's."""

import time
from uuid import uuid4

from services.api.access.sessions import Sessions
from services.api.console.links import SignInLinks
from shared.postgres.connection import connect_pool


async def test_a_used_link_is_not_forgotten_while_the_api_still_takes_it(database_url: str) -> None:
    def behind() -> float:
        return time.time() - 600

    async with connect_pool(database_url, name="test") as pool:
        links = SignInLinks(pool, Sessions(b"key", behind), lifetime_s=60)
        key_id = uuid4()
        first, second = (links.make(key_id).path.partition("=")[2] for _ in range(2))
        assert [await links.use(first), await links.use(second)] == [key_id, key_id]
        assert [await links.use(first), await links.use(second)] == [None, None]
