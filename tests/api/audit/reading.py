"""The audit log as `GET /audit` shows it, and those who ask."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx

from services.api.access.api_keys import configured_key_id
from tests.api.stage import ADMIN_KEY, RunningApi, until

ADMINISTRATOR = {"kind": "key", "id": str(configured_key_id(ADMIN_KEY)), "name": "COLDSTART_ADMIN_KEY"}


async def entries(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """The newest page, newest first."""
    answer = await client.get("/audit", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def of_subject(api: RunningApi, subject: str | UUID, number: int) -> list[dict[str, Any]]:
    """What was done to it, oldest first, once there are so many entries."""

    async def there() -> bool:
        return len(await entries(api.client, subject=str(subject))) >= number

    await until(there)
    found = await entries(api.client, subject=str(subject))
    assert len(found) == number, [entry["type"] for entry in found]
    return found[::-1]


@asynccontextmanager
async def in_the_console(api: RunningApi, key: str = ADMIN_KEY) -> AsyncGenerator[httpx.AsyncClient]:
    """As a browser that has signed in, on a page of ours: without the key."""
    async with api.stranger() as client:
        assert (await client.post("/sign-in", data={"key": key})).status_code == 303
        page = (await client.get("/")).text
        client.headers["X-CSRF-Token"] = page.partition('name="csrf-token" content="')[2].partition('"')[0]
        yield client
