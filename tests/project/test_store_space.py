"""How little space is a warning, and how little is kept for ending instances. Figures in GB."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from nats.errors import TimeoutError as NoAnswer
from nats.js.api import AccountInfo, AccountLimits, APIStats
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared.store_space import Level, StoreSpace, Threshold, Thresholds, room

GB = 10**9
THRESHOLDS = Thresholds(low=Threshold(5 * GB, 0.1), reserved=Threshold(1 * GB, 0.02))


@pytest.mark.parametrize(
    ("free", "total", "level"),
    [
        (5.0, 100, Level.ENOUGH),
        (4.9, 100, Level.LOW),
        (1.0, 100, Level.LOW),
        (0.9, 100, Level.RESERVED),
        (0.5, 4, Level.ENOUGH),
        (0.3, 4, Level.LOW),
        (0.09, 4, Level.LOW),
        (0.07, 4, Level.RESERVED),
        (0.0, 0, Level.ENOUGH),
    ],
    ids=str,
)
def test_a_limit_is_a_figure_or_a_share_whichever_is_less(free: float, total: int, level: Level) -> None:
    assert room("nats", int(free * GB), total * GB, THRESHOLDS).level is level


def account(storage: float, limit: float) -> Callable[[], Awaitable[AccountInfo]]:
    async def info() -> AccountInfo:
        limits = AccountLimits(-1, int(limit * GB) if limit > 0 else -1, -1, -1, -1, -1, -1, max_bytes_required=False)
        return AccountInfo(0, int(storage * GB), 1, 1, limits, APIStats(0, 0))

    return info


def disks(monkeypatch: pytest.MonkeyPatch, **free: float) -> None:
    """Disks of 100 GB. A folder without a figure is not there."""

    def disk_usage(folder: Path) -> Any:
        if folder.name not in free:
            raise FileNotFoundError(folder.name)
        return shutil._ntuple_diskusage(100 * GB, 0, int(free[folder.name] * GB))

    monkeypatch.setattr("shared.store_space.shutil.disk_usage", disk_usage)


async def test_a_warning_has_figures_for_those_who_may_know_them(monkeypatch: pytest.MonkeyPatch) -> None:
    space = StoreSpace({"nats": Path("/n"), "postgres": Path("/p")}, THRESHOLDS, account(1, -1))
    disks(monkeypatch, n=4, p=0.5)
    await space.look()
    assert space.warnings(figures=True) == [
        "Space is running low on the disk of NATS: 4.0 GB of 100.0 GB are free.",
        "Nothing can be launched, since there is no space left on the disk of PostgreSQL: 500 MB of 100.0 GB are free.",
    ]
    assert space.warnings(figures=False)[0] == "Space is running low on the disk of NATS."


async def test_a_shortage_names_the_stores_that_are_short_of_space(monkeypatch: pytest.MonkeyPatch) -> None:
    space = StoreSpace({"nats": Path("/n"), "postgres": Path("/p")}, THRESHOLDS, account(1, -1))
    assert (space.rooms, space.shortage) == ((), None)
    disks(monkeypatch, n=4, p=50)
    with capture_logs() as logs:
        await space.look()
        await space.look()
    assert space.shortage is None
    assert [(line["store"], line["space"]) for line in logs] == [("nats", "low")]
    disks(monkeypatch, n=0.2, p=0.1)
    await space.look()
    assert space.shortage == (
        "There is no space left on the disk of NATS (200 MB of 100.0 GB are free) and on the disk of PostgreSQL "
        "(100 MB of 100.0 GB are free)."
    )
    assert REGISTRY.get_sample_value("coldstart_store_free_bytes", {"store": "nats"}) == 0.2 * GB
    assert REGISTRY.get_sample_value("coldstart_store_total_bytes", {"store": "nats"}) == 100 * GB
    assert REGISTRY.get_sample_value("coldstart_launches_refused_for_space") == 1
    disks(monkeypatch, n=50, p=50)
    await space.look()
    assert space.shortage is None
    assert REGISTRY.get_sample_value("coldstart_launches_refused_for_space") == 0


async def test_an_account_with_a_limit_of_storage_is_a_room_too() -> None:
    space = StoreSpace({}, THRESHOLDS, account(9.9, 10))
    await space.look()
    expected = "There is no space left in the NATS account's storage limit (100 MB of 10.0 GB are free)."
    assert space.shortage == expected
    unlimited = StoreSpace({}, THRESHOLDS, account(9.9, -1))
    await unlimited.look()
    assert unlimited.rooms == ()


async def test_what_an_account_last_said_counts_while_it_does_not_answer() -> None:
    answers = [account(9.9, 10)]

    async def asked() -> AccountInfo:
        if not answers:
            raise NoAnswer
        return await answers.pop()()

    space = StoreSpace({}, THRESHOLDS, asked)
    await space.look()
    before = space.rooms
    await space.look()
    assert before
    assert space.rooms == before


async def test_a_folder_that_cannot_be_measured_is_told_once_and_refuses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disks(monkeypatch)
    space = StoreSpace({"nats": Path("/n")}, THRESHOLDS, account(0, -1))
    with capture_logs() as logs:
        await space.look()
        await space.look()
    assert (space.rooms, space.shortage) == ((), None)
    assert [(line["event"], line["store"]) for line in logs] == [("space of a store cannot be measured", "nats")]


async def test_it_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.store_space.EVERY_S", 0.0)
    looks, often = 0, asyncio.Event()

    async def asked() -> AccountInfo:
        nonlocal looks
        looks += 1
        if looks == 3:
            often.set()
        return await account(0, -1)()

    running = asyncio.create_task(StoreSpace({}, THRESHOLDS, asked).run())
    async with asyncio.timeout(120):
        await often.wait()
    running.cancel()
