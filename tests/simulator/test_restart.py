"""A simulator that keeps its account: the next one with the same data folder goes on with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from scaleway.instance.v1 import Server

from simulator.app import Simulator
from simulator.cloud.addresses import Addresses
from simulator.cloud.books import BooksUnreadable
from simulator.settings import SimulatorSettings
from tests.simulator.clients import Sdk, ask, eventually
from tests.simulator.conftest import QUICK
from tests.simulator.fake_hosts import Hosts

CLOUD_INIT = b"#cloud-config\n\xff"


@asynccontextmanager
async def simulating(folder: Path, **changes: float) -> AsyncIterator[tuple[Sdk, Hosts]]:
    settings = SimulatorSettings(data_dir=folder, scenario=QUICK.model_copy(update=changes), keep=True)
    hosts = Hosts(settings.ssh_port)
    async with Simulator(settings, hosts=hosts) as simulator:
        yield Sdk(simulator), hosts


def cut_off(folder: Path, after: Path) -> None:
    """What is on disk while it still runs is what a kill would leave."""
    after.mkdir()
    (after / "account.json").write_bytes((folder / "account.json").read_bytes())


def address_of(server: Server) -> str:
    assert server.public_ips
    return str(server.public_ips[0].address)


async def test_a_running_server_runs_again_with_its_address_tags_volume_and_user_data(tmp_path: Path) -> None:
    async with simulating(tmp_path) as (sdk, hosts):
        server = await sdk.with_volume("coldstart")
        await ask(sdk.instance.set_server_user_data, server_id=server.id, key="cloud-init", content=CLOUD_INIT)
        await sdk.act(server.id, "poweron")
        server = await eventually(lambda: sdk.get(server.id), lambda s: s.state == "running" and bool(s.public_ips))
    assert hosts.made[0].told == ["start", "stop"]
    async with simulating(tmp_path) as (sdk, hosts):
        again = await sdk.get(server.id)
        assert (again.state, address_of(again), again.tags) == ("running", address_of(server), ["coldstart"])
        assert again.volumes == server.volumes
        listed = (await ask(sdk.instance.list_servers, tags=["coldstart"])).servers
        assert [each.id for each in listed] == [server.id]
        (host,) = hosts.made
        assert (host.told, host.address, host.cloud_init) == (["start"], address_of(server), CLOUD_INIT)


async def test_what_a_killed_simulator_had_answered_is_not_lost(tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    async with simulating(tmp_path) as (sdk, _):
        kept, gone = await sdk.create(), await sdk.create()
        await ask(sdk.instance.delete_server, server_id=gone.id)
        cut_off(tmp_path, killed)
    async with simulating(killed) as (sdk, _):
        assert [server.id for server in (await ask(sdk.instance.list_servers)).servers] == [kept.id]
        await eventually(lambda: sdk.get(kept.id), lambda server: bool(server.volumes))


async def test_a_server_that_was_being_terminated_is_gone(tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    async with simulating(tmp_path) as (sdk, _):
        server = await sdk.booted()
        await sdk.act(server.id, "terminate")
        cut_off(tmp_path, killed)
    async with simulating(killed) as (sdk, _):
        assert (await ask(sdk.instance.list_servers)).servers == []


async def test_a_volume_that_was_growing_has_grown(tmp_path: Path) -> None:
    killed, size = tmp_path / "killed", 200 * 10**9
    async with simulating(tmp_path, volume_update=60) as (sdk, _):
        volume_id = (await sdk.create()).volumes["0"].id
        growing = await ask(sdk.block.update_volume, volume_id=volume_id, size=size)
        assert growing.status == "updating"
        cut_off(tmp_path, killed)
    async with simulating(killed) as (sdk, _):
        grown = await ask(sdk.block.get_volume, volume_id=volume_id)
        assert (grown.status, grown.size, grown.parent_snapshot_id) == ("in_use", size, growing.parent_snapshot_id)


async def test_a_server_that_was_starting_goes_on_at_its_address(tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    async with simulating(tmp_path, poweron=60) as (sdk, _):
        server = await sdk.create()
        await sdk.act(server.id, "poweron")
        address = address_of(await sdk.get(server.id))
        cut_off(tmp_path, killed)
    async with simulating(killed) as (sdk, _):
        running = await eventually(lambda: sdk.get(server.id), lambda seen: seen.state == "running")
        assert address_of(running) == address


async def test_servers_move_when_another_simulator_has_their_network(tmp_path: Path) -> None:
    async with simulating(tmp_path) as (sdk, _):
        server = await sdk.booted()
    network = address_of(server).rpartition(".")[0]
    with Addresses((2222, 8000), f"{network}.0/24"):
        async with simulating(tmp_path) as (sdk, _):
            moved = await sdk.get(server.id)
            assert moved.state == "running"
            assert not address_of(moved).startswith(f"{network}.")


async def test_an_account_that_cannot_be_read_says_what_to_remove(tmp_path: Path) -> None:
    (tmp_path / "account.json").write_text("{")
    with pytest.raises(BooksUnreadable, match=f"remove {tmp_path}"):
        async with simulating(tmp_path):
            pass
