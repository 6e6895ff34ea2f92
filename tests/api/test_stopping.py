"""What an api that stops lets go: clients with wrong keys that wait, and those who wait for the hub."""

import asyncio
import threading
from contextlib import AsyncExitStack
from typing import cast

import httpx
import pytest
from prometheus_client import REGISTRY

from services.api.access import wrong_keys
from services.api.app import running
from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.build import catalogue_services
from shared.postgres.connection import Pool
from tests.api.stage import PATIENCE_S, Stage, until

AN_HOUR_S = 3_600.0
SEARCHING = "hub-search"
"""The prefix of its threads' names."""


def tried() -> float:
    return REGISTRY.get_sample_value("coldstart_wrong_keys_total") or 0.0


async def test_who_waits_because_of_a_wrong_key_is_answered_when_the_api_stops(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrong_keys, "_AT_ONCE", 0)
    monkeypatch.setattr(wrong_keys, "_EVERY_S", AN_HOUR_S)
    monkeypatch.setattr(wrong_keys, "_LONGEST_S", 2 * AN_HOUR_S)
    before = tried()
    async with AsyncExitStack() as stack, httpx.AsyncClient(timeout=2 * PATIENCE_S) as stranger:
        api = await stack.enter_async_context(running(stage.settings(shutdown_seconds=PATIENCE_S)))
        asking = asyncio.create_task(stranger.get(f"{api.url}/instances", headers={"Authorization": "Bearer wrong"}))

        async def waits() -> bool:
            return tried() > before

        await until(waits)
        assert not asking.done()
        await stack.aclose()
        assert (await asking).status_code == 401


def searching() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith(SEARCHING)}


async def test_who_waits_for_the_hub_is_cancelled_when_the_api_stops_and_its_threads_end(stage: Stage) -> None:
    settings, others = stage.settings(hub_search_timeout_seconds=AN_HOUR_S), searching()
    with catalogue_services(cast("Pool", None), cast("AccessCache", None), settings) as catalogue:
        search = catalogue.search
        assert await search.search("qwen")
        stage.hub.silent, answered = True, stage.hub.asked
        waiting = asyncio.create_task(search.search("llama"))

        async def asked() -> bool:
            return stage.hub.asked > answered

        await until(asked)
        assert searching() > others
    await asyncio.wait({waiting}, timeout=PATIENCE_S)
    assert waiting.cancelled()
    stage.hub.over.set()

    async def ended() -> bool:
        return searching() <= others

    await until(ended)
