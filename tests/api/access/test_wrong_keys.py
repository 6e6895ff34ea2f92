"""Wrong keys from one address are answered late. All other requests are answered at once."""

import asyncio
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from coldstart.settings import StackSettings
from services.api.access.errors import TooManyWrongKeys
from services.api.access.wrong_keys import WrongKeys
from services.api.settings import ApiSettings
from tests.api.stage import ADMIN_KEY, MASTER_SECRET, Stage


class Time:
    """Every sleep ends at once; its length is recorded."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def wrong_keys() -> tuple[WrongKeys, Time]:
    time = Time()
    return WrongKeys(time, time.sleep), time


def by(address: str) -> dict[str, Any]:
    return {"client": (address, 1)}


async def test_ten_are_answered_at_once_ten_wait_and_the_rest_is_refused() -> None:
    keys, time = wrong_keys()
    for _ in range(20):
        await keys.came(by("192.0.2.1"))
    assert time.slept == [float(second) for second in range(1, 11)]
    with pytest.raises(TooManyWrongKeys):
        await keys.came(by("192.0.2.1"))
    await keys.came(by("192.0.2.2"))
    assert len(time.slept) == 10, "another address"
    time.now += 3
    await keys.came(by("192.0.2.1"))
    time.now += 60
    await keys.came(by("192.0.2.1"))
    assert time.slept[10:] == [8.0]


async def test_one_network_of_ipv6_is_one_address() -> None:
    keys, time = wrong_keys()
    for number in range(12):
        await keys.came(by(f"2001:db8::{number}"))
    assert time.slept == [1.0, 2.0]


async def test_it_is_logged_once_a_burst_with_the_address() -> None:
    keys, time = wrong_keys()
    with capture_logs() as logs:
        for _ in range(15):
            await keys.came(by("192.0.2.1"))
        await keys.came(by("2001:db8::1"))
        time.now += 61
        await keys.came(by("192.0.2.1"))
    assert [(entry["event"], entry["address"]) for entry in logs] == [
        ("wrong key", "192.0.2.1"),
        ("wrong key", "2001:db8::/64"),
        ("wrong key", "192.0.2.1"),
    ]


async def test_a_valid_key_does_not_suffer_from_its_neighbour(stage: Stage) -> None:
    """All requests come from one address, as behind one proxy."""
    api = await stage.api()
    limits = httpx.Limits(max_connections=None)
    wrong = {"Authorization": "Bearer wrong"}
    async with httpx.AsyncClient(base_url=api.url, timeout=30, limits=limits) as stranger:
        asking = [
            asyncio.create_task(request)
            for request in (
                *(stranger.get("/instances", headers=wrong) for _ in range(10)),
                *(stranger.get("/v1/models", headers=wrong) for _ in range(10)),
                *(stranger.post("/sign-in", data={"key": "wrong"}) for _ in range(10)),
                *(stranger.get("/sign-in?token=none") for _ in range(10)),
            )
        ]
        answered: set[asyncio.Task[httpx.Response]] = set()
        while len(answered) < 30:
            done, _ = await asyncio.wait(set(asking) - answered, return_when=asyncio.FIRST_COMPLETED)
            answered |= done
        statuses = [task.result().status_code for task in answered]
        assert statuses.count(429) >= 15, "ten are answered, and ten wait"
        assert not all(task.done() for task in asking)
        assert (await api.client.get("/instances")).status_code == 200
        assert (await api.client.get("/v1/models")).status_code == 200
        assert (await stranger.post("/sign-in", data={"key": ADMIN_KEY})).status_code == 303
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


def test_an_administrator_s_key_that_is_short_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_ADMIN_KEY", "a" * 31)
    fields: dict[str, Any] = {"database_url": SecretStr("postgresql:///"), "master_secret": SecretStr(MASTER_SECRET)}
    for kind, given in ((ApiSettings, fields), (StackSettings, {})):
        with pytest.raises(ValidationError) as refused:
            kind(**given)
        (error,) = refused.value.errors()
        assert error["msg"] == "Value error, needs at least 32 characters; `openssl rand -hex 24` makes a good one"
    monkeypatch.setenv("COLDSTART_ADMIN_KEY", "a" * 32)
    assert ApiSettings(**fields).admin_key
