"""The simulator as a process of its own, beside others."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from pydantic import ValidationError

from simulator.cloud.addresses import GUARD, Addresses
from simulator.settings import SimulatorSettings
from tests.simulator.clients import DEADLINE

PORT = 2222


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A running simulator and its URL; killed at the end if it is still there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator",
        env={**os.environ, "SIMULATOR_DATA_DIR": str(folder), "SIMULATOR_SCENARIO": '{"create": 0, "seed": 7}'},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            yield process, json.loads(await process.stdout.readline())["url"]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_its_url_and_ends_well_on_a_signal(tmp_path: Path, ending: signal.Signals) -> None:
    async with started(tmp_path) as (process, url):
        async with aiohttp.ClientSession() as session, session.get(f"{url}/_simulator/scenario") as response:
            assert (await response.json())["scenario"]["seed"] == 7
        process.send_signal(ending)
        assert await process.wait() == 0


async def test_two_at_once_have_their_own_ports(tmp_path: Path) -> None:
    async with started(tmp_path) as (_, first), started(tmp_path) as (_, second):
        assert first != second


@pytest.mark.real
def test_a_network_in_use_is_not_chosen_by_another() -> None:
    with Addresses((PORT,)) as addresses:
        guard = addresses.network.replace("0/24", str(GUARD))
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((guard, PORT))


@pytest.mark.real
def test_a_released_address_is_given_again_last() -> None:
    with Addresses((PORT,)) as addresses:
        first = addresses.take()
        assert first is not None
        addresses.give_back(first)
        given = [addresses.take() for _ in range(253)]
        assert given[-1] == first
        assert addresses.take() is None


def test_it_listens_on_loopback_only() -> None:
    with pytest.raises(ValidationError, match="loopback"):
        SimulatorSettings(host="0.0.0.0")  # noqa: S104 - refused is the point
