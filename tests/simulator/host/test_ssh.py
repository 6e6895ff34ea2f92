"""Who gets in, what a command may see, and what is left when the power goes."""

import asyncio
from pathlib import Path

import asyncssh
import psutil
import pytest

from simulator.host import make_host, processes
from simulator.host.cloud_init import CloudInit, parse
from simulator.scenario import Scenario
from simulator.settings import SimulatorSettings
from tests.simulator.host.machines import QUICK, SSH_PORT, Machine, booted, eventually, new_key, own_address


async def test_the_machine_proves_itself_with_the_key_from_cloud_init(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        assert (await machine.run("echo here")).stdout == "here\n"
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            async with machine.connected(host_key=new_key()):
                pass


async def test_a_machine_may_show_another_key_than_the_one_from_cloud_init(tmp_path: Path) -> None:
    async with booted(tmp_path, QUICK.model_copy(update={"wrong_host_key": True})) as machine:
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            await machine.run("true")


async def test_only_the_authorized_key_signs_in_and_only_as_root(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        with pytest.raises(asyncssh.PermissionDenied):
            async with machine.connected(client_key=new_key()):
                pass
        with pytest.raises(asyncssh.PermissionDenied):
            await asyncssh.connect(
                machine.address, SSH_PORT, username="ubuntu", client_keys=[machine.client_key], known_hosts=None,
                config=None, agent_path=None,
            )  # fmt: skip


def underscored(key: asyncssh.SSHKey) -> str:
    return "AUTHORIZED_KEY=" + "_".join(key.export_public_key().decode().split())


async def refused(machine: Machine) -> bool:
    try:
        await machine.run("true")
    except asyncssh.PermissionDenied:
        return True
    return False


async def test_a_key_of_cloud_inits_ssh_module_alone_is_gone_once_the_image_has_written_the_file(
    tmp_path: Path,
) -> None:
    async with booted(tmp_path, changes={"write_files": None}) as machine:
        assert await refused(machine)
        machine.host.disk.authorized_keys.write_text(f"{machine.public_key}\n")
        assert not await refused(machine)


@pytest.mark.parametrize("way", ["instance_keys", "tag", "project"])
async def test_a_key_that_the_image_knows_is_let_in_after_a_boot_a_restart_and_an_install_of_packages(
    tmp_path: Path, way: str
) -> None:
    key = new_key()
    kept = {"path": "/root/.ssh/instance_keys", "content": f"# ours\n{key.export_public_key().decode()}"}
    changes = {"write_files": [kept] if way == "instance_keys" else None}
    tags = (underscored(key),) if way == "tag" else ("coldstart",)
    project = (key.export_public_key().decode().strip(),) if way == "project" else ()
    async with booted(tmp_path, client_key=key, changes=changes, tags=tags, project_keys=project) as machine:
        assert not await refused(machine)
        await machine.run("apt-get install -y docker.io")
        assert not await refused(machine)
        await machine.host.stop()
        await machine.next_boot().start()
        assert not await refused(machine)


async def test_what_somebody_adds_to_authorized_keys_is_gone_after_an_install_of_packages(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        added = new_key()
        with machine.host.disk.authorized_keys.open("a") as file:
            file.write(added.export_public_key().decode())
        async with machine.connected(client_key=added):
            pass
        await machine.run("apt-get install -y docker.io")
        with pytest.raises(asyncssh.PermissionDenied):
            async with machine.connected(client_key=added):
                pass


async def test_a_command_is_given_its_input_and_returns_both_outputs_and_its_status(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine, machine.connected() as connection:
        done = await connection.run("tr a-z A-Z; echo wrong >&2; exit 7", input="whole\n" * 20_000)
        assert (done.stdout, done.stderr, done.exit_status) == ("WHOLE\n" * 20_000, "wrong\n", 7)


async def test_a_command_finds_the_stand_ins_and_harmless_tools_only(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        found = await machine.run("command -v sed flock apt-get mkfs.ext4; command -v docker ssh curl python3 mke2fs")
        assert str(found.stdout).split() == [
            str(machine.host.disk.bin / name) for name in ("sed", "flock", "apt-get", "mkfs.ext4", "curl")
        ]


async def test_a_client_that_leaves_ends_nothing(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        async with machine.connected() as connection:
            process = await connection.create_process("echo begun; sleep 600")
            await process.stdout.readline()
            connection.abort()
        assert processes.running(machine.host.boot_id)


async def test_clients_that_leave_at_any_moment_leave_nothing_open(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        before = psutil.Process().num_fds()
        for moment in range(30):
            async with machine.connected() as connection:
                process = await connection.create_process("cat; echo said; echo said >&2")
                process.stdin.write("something")
                for _ in range(moment):
                    await asyncio.sleep(0)
                connection.abort()

        async def all_closed() -> bool | None:
            return psutil.Process().num_fds() <= before or None

        await eventually(all_closed)
        assert (await machine.run("echo still here")).stdout == "still here\n"


async def test_a_power_off_ends_what_was_detached_and_keeps_the_disk(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        await machine.run("echo kept > kept; setsid bash -c 'sleep 600 & sleep 600' >/dev/null 2>&1 </dev/null & ")
        boot_id = machine.host.boot_id

        async def both_sleep() -> bool | None:
            return len(processes.running(boot_id)) >= 2 or None

        await eventually(both_sleep)
        await machine.host.stop()
        assert processes.running(boot_id) == []
        with pytest.raises(ConnectionRefusedError):
            await machine.run("true")
        await machine.next_boot().start()
        assert (await machine.run("cat kept")).stdout == "kept\n"


async def test_a_boot_ends_what_a_killed_simulator_has_left_running_in_the_machine(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        killed = machine.host
        try:
            await machine.run("setsid sleep 600 >/dev/null 2>&1 </dev/null &")
            assert processes.running(killed.boot_id)
            machine.address = own_address()
            await machine.next_boot().start()
            assert not processes.running(killed.boot_id)
        finally:
            await killed.stop()


async def test_a_destroyed_machine_leaves_no_disk(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        await machine.host.destroy()
        assert not machine.folder.exists()


async def test_stopping_is_safe_in_any_state(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine", QUICK.model_copy(update={"ssh_up": 60.0}))
    await machine.host.stop()
    starting = asyncio.create_task(machine.host.start())
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    await machine.host.stop()
    await machine.host.destroy()
    await machine.host.destroy()


async def test_a_machine_that_never_listens_starts_without_listening(tmp_path: Path) -> None:
    async with booted(tmp_path, Scenario(never_ssh=True)) as machine:
        with pytest.raises(ConnectionRefusedError):
            await machine.run("true")


async def test_one_server_id_is_one_disk_whatever_the_address(tmp_path: Path) -> None:
    make = make_host(SimulatorSettings(data_dir=tmp_path))
    machine = Machine(tmp_path / "unused")
    for text in ("", "seen\n"):
        machine.address = own_address()
        host = make(
            server_id="one", address=machine.address, tags=(), cloud_init=machine.cloud_init, scenario=QUICK
        )  # fmt: skip
        await host.start()
        assert (await machine.run("cat note 2>/dev/null; echo seen > note")).stdout == text
        await host.stop()
    await host.destroy()


async def test_a_stand_in_refuses_what_it_does_not_model(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        for command in (
            "apt-get remove -y docker.io", "apt-get install docker.io", "mkfs.ext4 -F -L x /dev/vdb",
            "mount /dev/vda1 /mnt", "systemctl stop ssh", "curl http://example.com/", "nvidia-smi --list-gpus",
            "lsblk", "blkid", "dpkg --remove docker.io", "mkfs.ext4 -q -L x /dev/vda1", "mountpoint /",
        ):  # fmt: skip
            done = await machine.run(command)
            assert done.exit_status == 64, command
            assert "does not model this" in str(done.stderr)


async def test_a_stand_in_ends_with_its_process(tmp_path: Path) -> None:
    async with booted(tmp_path, QUICK.model_copy(update={"image_pull": 60.0})) as machine:
        await machine.run("apt-get install -y docker.io")
        stopped = await machine.run("timeout 0.2 docker pull vllm/vllm-openai:latest")
        assert stopped.exit_status == 124
        machine.host.scenario = QUICK

        async def pulled() -> bool | None:
            return (await machine.run("docker pull vllm/vllm-openai:latest")).exit_status == 0 or None

        await eventually(pulled)
        assert (await machine.run("docker image inspect vllm/vllm-openai")).exit_status == 0


def test_user_data_without_its_header_is_ignored() -> None:
    assert parse(b"ssh_authorized_keys: [a]") == CloudInit()


def test_user_data_that_is_not_modelled_is_refused() -> None:
    with pytest.raises(ValueError, match="runcmd"):
        parse(b"#cloud-config\nruncmd: [reboot]")
    with pytest.raises(ValueError, match="encoding"):
        parse(b"#cloud-config\nwrite_files: [{path: /a, content: b, encoding: gzip}]")
