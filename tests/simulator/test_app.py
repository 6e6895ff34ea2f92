"""What entering and leaving a simulator promises."""

import asyncio
import socket

import pytest

from simulator.app import Simulator
from simulator.settings import SimulatorSettings
from tests.simulator.clients import Sdk, eventually
from tests.simulator.fake_hosts import FakeHost, Hosts


async def test_leaving_destroys_every_host_and_frees_the_port(settings: SimulatorSettings, hosts: Hosts) -> None:
    async with Simulator(settings, hosts=hosts) as simulator:
        await Sdk(simulator).booted()
        url = simulator.url
    assert hosts.made[0].told[-1] == "destroy"
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def test_a_host_that_fails_is_raised_on_leaving(
    settings: SimulatorSettings, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(_: FakeHost) -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr(FakeHost, "start", start)
    simulator = await Simulator(settings, hosts=hosts).__aenter__()
    sdk = Sdk(simulator)
    server = await sdk.with_volume()
    await sdk.act(server.id, "poweron")
    await eventually(lambda: sdk.get(server.id), lambda seen: seen.state == "running")
    with pytest.raises(BaseExceptionGroup) as raised:
        await simulator.__aexit__(None, None, None)
    assert raised.value.subgroup(RuntimeError) is not None


async def test_a_port_in_use_stops_the_start_and_leaves_nothing_behind(hosts: Hosts) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = SimulatorSettings(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            async with Simulator(settings, hosts=hosts):
                pass
