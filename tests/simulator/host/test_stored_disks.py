"""A machine from an image is the builder as it was when it was stored, and yet a machine of its own."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import pytest
from scaleway.instance.v1 import Server

from simulator.app import Simulator
from simulator.cloud.ports import Hardware
from simulator.host.disk import Disk
from simulator.host.stored_disks import StoredDisks
from simulator.settings import SimulatorSettings
from tests.simulator.clients import Sdk, ask, eventually
from tests.simulator.conftest import QUICK
from tests.simulator.host.machines import Machine, booted, new_key
from tests.simulator.test_snapshots import image_of, made, snapshot_of

IMAGE = "vllm/vllm-openai:v0.32.0"
HOLE = 10**10


async def store(folder: Path, machine: Machine) -> tuple[StoredDisks, str]:
    disks, snapshot = StoredDisks(folder), str(uuid4())
    await disks.store(machine.folder.name, snapshot)
    return disks, snapshot


async def laid(folder: Path, disks: StoredDisks, snapshot: str) -> Machine:
    """A new machine, with keys of its own, that was not booted yet."""
    name = str(uuid4())
    await disks.lay(snapshot, name)
    return Machine(folder / "hosts" / name)


async def test_its_disk_holds_the_builders_files_and_docker_images_as_they_were(tmp_path: Path) -> None:
    async with booted(tmp_path / "hosts") as builder:
        await builder.run("echo before > note; echo $COLDSTART_ROOT/srv > paths; ln -s $COLDSTART_ROOT/srv link")
        await builder.run(f"apt-get install -y docker.io && docker pull {IMAGE}")
        await builder.host.stop()
        disks, snapshot = await store(tmp_path, builder)
        await builder.next_boot().start()
        await builder.run("echo after > note")
        machine = await laid(tmp_path, disks, snapshot)
        await machine.host.start()
        try:
            assert (await machine.run("cat note")).stdout == "before\n"
            root = str(machine.host.disk.root)
            assert (await machine.run("cat paths; readlink link")).stdout == f"{root}/srv\n{root}/srv\n"
            assert (await machine.run(f"docker image inspect {IMAGE}")).exit_status == 0
            assert (await machine.run("docker --version")).exit_status != 127
            assert str(builder.folder) not in (machine.folder / "contents.json").read_text()
        finally:
            await machine.host.destroy()
        assert (await builder.run("cat note")).stdout == "after\n"


async def test_cloud_init_gives_it_keys_of_its_own_once(tmp_path: Path) -> None:
    async with booted(tmp_path / "hosts") as builder:
        await builder.host.stop()
        disks, snapshot = await store(tmp_path, builder)
        machine = await laid(tmp_path, disks, snapshot)
        await machine.host.start()  # `run` pins its host key, and signs in with its client key
        assert (await machine.run("cat .ssh/instance_keys")).stdout == f"{machine.public_key}\n"
        await machine.host.stop()
        kept, machine.host_key = machine.host_key, new_key()
        await machine.next_boot().start()
        machine.host_key = kept
        assert (await machine.run("true")).exit_status == 0
        await machine.host.destroy()


async def test_what_the_builders_boot_left_running_is_not_ended_by_it(tmp_path: Path) -> None:
    async with booted(tmp_path / "hosts") as builder:
        disks, snapshot = await store(tmp_path, builder)
        machine = await laid(tmp_path, disks, snapshot)
        assert machine.host.disk.boot == ""
        await machine.host.start()
        await machine.host.destroy()
        assert (await builder.run("true")).exit_status == 0


async def test_scratch_storage_is_not_on_it(tmp_path: Path) -> None:
    async with booted(tmp_path / "hosts", hardware=Hardware(scratch=1_600_000_000_000)) as builder:
        await builder.run("mkfs.ext4 -q -L coldstart-data /dev/nvme0n1")
        await builder.run("mkdir -p $COLDSTART_ROOT/mnt/data && mount /dev/nvme0n1 $COLDSTART_ROOT/mnt/data")
        await builder.run("mkdir $COLDSTART_ROOT/mnt/data/model")
        assert (builder.host.disk.root / "mnt/data/model").exists()
        disks, snapshot = await store(tmp_path, builder)
    stored = Disk(disks.folder(snapshot))
    assert not (stored.root / "mnt/data/model").exists()
    assert "nvme0n1" not in (stored.folder / "contents.json").read_text()


async def test_holes_stay_holes_and_pipes_stay_behind(tmp_path: Path) -> None:
    async with booted(tmp_path / "hosts") as builder:
        weights = builder.host.disk.root / "srv/weights"
        weights.parent.mkdir()
        with weights.open("wb") as file:
            file.write(b"head")
            file.truncate(HOLE)
            os.pwrite(file.fileno(), b"tail", HOLE - 4)
        os.mkfifo(weights.with_name("pipe"))
        await builder.host.stop()
        disks, snapshot = await store(tmp_path, builder)
    copy = disks.folder(snapshot) / "root/srv/weights"
    assert (copy.stat().st_size, copy.stat().st_blocks * 512 < 10**6) == (HOLE, True)
    with copy.open("rb") as file:
        assert (os.pread(file.fileno(), 4, 0), os.pread(file.fileno(), 4, HOLE - 4)) == (b"head", b"tail")
    assert not copy.with_name("pipe").exists()


async def test_a_removed_copy_is_gone_and_machines_that_were_made_of_it_are_not(tmp_path: Path) -> None:
    async with booted(tmp_path / "hosts") as builder:
        await builder.host.stop()
        disks, snapshot = await store(tmp_path, builder)
    kept, never_booted = await laid(tmp_path, disks, snapshot), await laid(tmp_path, disks, snapshot)
    await kept.host.start()
    for _ in range(2):
        await disks.remove(snapshot)
    assert not disks.folder(snapshot).exists()
    await disks.discard(never_booted.folder.name)
    await disks.discard(kept.folder.name)
    assert (kept.folder.exists(), never_booted.folder.exists()) == (True, False)
    await kept.host.destroy()


async def test_a_machine_that_never_booted_leaves_nothing_to_copy(tmp_path: Path) -> None:
    disks = StoredDisks(tmp_path)
    await disks.store("never", "snapshot")
    await disks.lay("snapshot", "another")
    await disks.clear()
    assert not disks.folder("snapshot").exists()
    assert not Disk(tmp_path / "hosts/another").folder.exists()


async def booted_in(sdk: Sdk, folder: Path, server: Server) -> Machine:
    """The simulated cloud's machine of this server, reached with the keys that its user data gave it."""
    machine = Machine(folder / "unused")
    await ask(sdk.instance.set_server_user_data, server_id=server.id, key="cloud-init", content=machine.cloud_init)
    await sdk.act(server.id, "poweron")
    running = await eventually(lambda: sdk.get(server.id), lambda s: s.state_detail == "booted" and bool(s.public_ips))
    machine.address = running.public_ips[0].address or ""
    return machine


async def test_in_the_cloud_a_server_of_an_image_boots_with_the_builders_disk_as_it_was_stored(tmp_path: Path) -> None:
    settings = SimulatorSettings(data_dir=tmp_path, scenario=QUICK)
    async with Simulator(settings) as simulator:
        sdk = Sdk(simulator)
        builder = await sdk.with_volume("builder")
        await (await booted_in(sdk, tmp_path, builder)).run("echo prepared > note")
        await sdk.stopped(builder.id)
        snapshot = await made(sdk, await snapshot_of(sdk, builder))
        image = await image_of(sdk, snapshot)
        server = await sdk.with_volume(image=image.id)
        await ask(sdk.instance.delete_server, server_id=builder.id)
        await ask(sdk.instance.delete_image, image_id=image.id)
        await eventually(
            lambda: ask(sdk.block.get_snapshot, snapshot_id=snapshot.id), lambda s: s.status == "available"
        )
        await ask(sdk.block.delete_snapshot, snapshot_id=snapshot.id)
        machine = await booted_in(sdk, tmp_path, server)
        assert (await machine.run("cat note")).stdout == "prepared\n"


@pytest.mark.parametrize("keep", [False, True])
async def test_a_simulator_that_ends_leaves_of_images_only_what_the_next_one_needs(tmp_path: Path, keep: bool) -> None:
    settings = SimulatorSettings(data_dir=tmp_path, scenario=QUICK, keep=keep)
    disks = StoredDisks(tmp_path)
    async with Simulator(settings) as simulator:
        sdk = Sdk(simulator)
        builder = await sdk.with_volume("builder")
        await booted_in(sdk, tmp_path, builder)
        await sdk.stopped(builder.id)
        snapshot = await made(sdk, await snapshot_of(sdk, builder))
        image = await image_of(sdk, snapshot)
        unbooted, deleted = await sdk.with_volume(image=image.id), await sdk.with_volume(image=image.id)
        kept, gone = (Disk(tmp_path / "hosts" / server.id).folder for server in (unbooted, deleted))
        assert gone.exists()
        await ask(sdk.instance.delete_server, server_id=deleted.id)
        await eventually(lambda: asyncio.to_thread(gone.exists), lambda exists: not exists)
    assert (disks.folder(snapshot.id).exists(), kept.exists()) == (keep, keep)
