"""Which disk is formatted, by the real lsblk, blkid, cmp and mkfs.ext4 on loop devices of our own."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from services.provisioner.install import script

DATA_DISK: Final = Path(script.__file__).with_name("data_disk.sh").read_text()
GB: Final = 10**9
MIB: Final = 1 << 20
SIZE: Final = 40 * GB // 512 * 512
BEFORE: Final = """
set -euo pipefail
shopt -s inherit_errexit
fail() { echo "$*" >&2; exit 1; }
udevadm() { :; }
data=$root/mnt/data OURS=yes SCRATCH= ATTEMPT=1 CACHE=shared
"""
LABEL: Final = f"data-{os.getpid()}"
"""blkid finds a label on every disk of the machine, and others may be running these tests on it."""


def can_make_loop_devices() -> bool:
    if os.geteuid() != 0:
        return False
    try:
        return subprocess.run(["losetup", "--find"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not can_make_loop_devices(), reason="only root makes loop devices, where they are"),
]


@dataclass
class Loop:
    """A device over a sparse file. What is done to the file is done to the disk."""

    device: str
    file: Path

    def writes(self, at: int, what: bytes = b"somebody's") -> None:
        with self.file.open("r+b") as opened:
            opened.seek(at)
            opened.write(what)

    def loses(self, after: int) -> None:
        """Take away the file behind the device: the kernel answers with I/O errors."""
        os.truncate(self.file, after)

    @property
    def is_blank(self) -> bool:
        """The first bytes, which a mistake would overwrite first."""
        with self.file.open("rb") as opened:
            return opened.read(MIB) == bytes(MIB)


Attach = Callable[..., Loop]


@pytest.fixture
def attach(tmp_path: Path) -> Iterator[Attach]:
    with ExitStack() as cleanup:

        def attached(size: int = SIZE, *options: str) -> Loop:
            file = tmp_path / f"disk-{len(list(tmp_path.glob('disk-*')))}"
            with file.open("wb") as opened:
                opened.truncate(size)
            device = run("losetup", "--find", "--show", *options, str(file)).stdout.strip()
            cleanup.callback(run, "losetup", "--detach", device)
            return Loop(device, file)

        cleanup.callback(unmount, tmp_path / "mnt/data")
        yield attached


def by_number(loop: Loop) -> int:
    return int(loop.device.removeprefix("/dev/loop"))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=True)


def unmount(folder: Path) -> None:
    with suppress(subprocess.CalledProcessError):
        run("umount", str(folder))


def asked(root: Path, function: str, *loops: Loop, before: str = "") -> subprocess.CompletedProcess[str]:
    """Calls a function of the script, which sees no other disks than these loop devices."""
    names = "|".join(loop.device.removeprefix("/dev/") for loop in loops)
    only = f"disk_names='{names}' disk_type=loop disk_label={LABEL}\n{before}\n"
    for loop in loops:
        run("blockdev", "--flushbufs", loop.device)
    return subprocess.run(
        ["bash", "-c", f"root={root}\n{BEFORE}{DATA_DISK}\n{only}{function}"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def chosen(root: Path, *loops: Loop, before: str = "") -> tuple[str, str]:
    answer = asked(root, "blank_disk", *loops, before=before)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip(), answer.stderr


def test_a_disk_that_is_zeros_from_begin_to_end_is_chosen(tmp_path: Path, attach: Attach) -> None:
    disk = attach()
    assert chosen(tmp_path, disk) == (disk.device, "")


@pytest.mark.parametrize("readable", [0, SIZE // 2, SIZE - MIB])
def test_a_disk_that_cannot_be_read_is_left_alone_though_blkid_finds_nothing_on_it(
    tmp_path: Path, attach: Attach, readable: int
) -> None:
    disk = attach()
    disk.loses(readable)
    run("blockdev", "--flushbufs", disk.device)
    probed = subprocess.run(["blkid", "--probe", disk.device], capture_output=True, check=False)
    assert probed.returncode == 2
    device, why = chosen(tmp_path, disk)
    assert (device, why.splitlines()[-1]) == ("", f"{disk.device} is left alone: it holds unreadable blocks.")


@pytest.mark.parametrize("at", [0, MIB - 20, (SIZE - MIB) * 7 // 16, SIZE - 20])
def test_data_without_a_signature_is_left_alone(tmp_path: Path, attach: Attach, at: int) -> None:
    disk = attach()
    disk.writes(at)
    assert chosen(tmp_path, disk) == ("", f"{disk.device} is left alone: it holds data.\n")


def test_a_file_system_or_a_partition_table_is_left_alone(tmp_path: Path, attach: Attach) -> None:
    formatted, partitioned = attach(), attach()
    run("mkfs.ext4", "-q", formatted.device)
    entry = bytes([0, 0, 2, 0, 0x83, 0, 0, 0]) + (2048).to_bytes(4, "little") + (4096).to_bytes(4, "little")
    partitioned.writes(446, entry + bytes(48) + b"\x55\xaa")
    device, why = chosen(tmp_path, formatted, partitioned)
    assert (device, why.count("it has a signature")) == ("", 2)


def test_a_read_only_disk_is_no_candidate(tmp_path: Path, attach: Attach) -> None:
    assert chosen(tmp_path, attach(SIZE, "--read-only")) == ("", "")


@pytest.mark.parametrize("before", ["", "smallest_disk=1 largest_disk=1000000"])
def test_a_disk_of_no_sensible_size_is_left_alone(tmp_path: Path, attach: Attach, before: str) -> None:
    disk = attach(MIB * 1000)
    assert chosen(tmp_path, disk, before=before) == (
        "",
        f"{disk.device} is left alone: its size is 1048576000 bytes.\n",
    )


def test_partitions_are_seen_by_the_kernel_alone_too(tmp_path: Path, attach: Attach) -> None:
    disk = attach(SIZE, "--partscan")
    try:
        run("addpart", disk.device, "1", "2048", "4096")
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("this kernel adds no partitions to loop devices")
    assert chosen(tmp_path, disk)[0] == ""


@pytest.mark.parametrize("tool", ["lsblk", "blkid", "mountpoint", "grep", "df", "mount", "mkfs.ext4"])
def test_a_tool_that_fails_ends_the_phase(tmp_path: Path, attach: Attach, tool: str) -> None:
    disk = attach()
    (tmp_path / "etc").mkdir()
    broken = f"{tool}() {{ echo broken >&2; return 5; }}"
    answer = asked(tmp_path, "data_disk; echo reached", disk, before=broken)
    assert (answer.returncode != 0, "reached" in answer.stdout) == (True, False)
    if tool in {"lsblk", "blkid", "mountpoint", "grep"}:
        assert disk.is_blank


def test_nothing_is_formatted_while_udev_is_at_work(tmp_path: Path, attach: Attach) -> None:
    (tmp_path / "etc").mkdir()
    disk = attach()
    answer = asked(tmp_path, "data_disk", disk, before="udevadm() { return 1; }")
    assert (answer.returncode, disk.is_blank) == (0, True)
    assert "There is no data disk: models are kept on the boot disk." in answer.stdout


def test_a_blank_disk_is_formatted_mounted_and_noted_once_and_no_other_after_it(tmp_path: Path, attach: Attach) -> None:
    fstab = tmp_path / "etc/fstab"
    fstab.parent.mkdir()
    fstab.write_text("LABEL=cloudimg-rootfs / ext4 defaults 0 1")
    disk, other = sorted((attach(), attach()), key=by_number)  # the first one that lsblk names is taken
    for _ in range(2):
        answer = asked(tmp_path, "data_disk", disk, other)
        assert answer.returncode == 0, answer.stderr
    assert (
        run("findmnt", "--noheadings", "--output", "SOURCE", str(tmp_path / "mnt/data")).stdout.strip() == disk.device
    )
    assert fstab.read_text().splitlines() == [
        "LABEL=cloudimg-rootfs / ext4 defaults 0 1",
        f"LABEL={LABEL} {tmp_path}/mnt/data auto defaults,nofail,x-systemd.before=docker.service 0 2",
    ]
    unmount(tmp_path / "mnt/data")
    disk.loses(0)
    assert asked(tmp_path, "data_disk", disk, other).returncode == 0
    assert other.is_blank


@pytest.mark.parametrize("before", ["ATTEMPT=2", "OURS="])
def test_a_disk_that_came_later_or_is_its_owner_s_stays_blank(tmp_path: Path, attach: Attach, before: str) -> None:
    (tmp_path / "etc").mkdir()
    disk = attach()
    assert asked(tmp_path, "data_disk", disk, before=before).returncode == 0
    assert disk.is_blank


SCRATCH: Final = 'SCRATCH=yes; systemctl() { echo "systemctl $*"; }'


def boots(root: Path) -> subprocess.CompletedProcess[str]:
    """Runs what the unit runs, with nothing of the install around it."""
    begun = "udevadm() { :; }; export -f udevadm; exec /bin/bash"
    return subprocess.run(
        ["bash", "-c", f"{begun} {root}/usr/local/sbin/coldstart-data-disk"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def is_stopped_fully(root: Path, disk: Loop) -> None:
    unmount(root / "mnt/data")
    os.truncate(disk.file, 0)
    os.truncate(disk.file, SIZE)
    run("blockdev", "--flushbufs", disk.device)


def mounted_at(folder: Path) -> str:
    found = subprocess.run(["findmnt", "-no", "SOURCE", str(folder)], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def test_scratch_storage_is_formatted_and_mounted_again_at_the_boot_after_a_full_stop(
    tmp_path: Path, attach: Attach
) -> None:
    (tmp_path / "etc").mkdir()
    disk, data = attach(), tmp_path / "mnt/data"
    first = asked(tmp_path, "data_disk", disk, before=SCRATCH)
    assert first.returncode == 0, first.stderr
    assert "systemctl enable coldstart-data-disk.service" in first.stdout
    assert "LABEL" not in (tmp_path / "etc/fstab").read_text(), "its label does not outlive a full stop"
    unit = (tmp_path / "etc/systemd/system/coldstart-data-disk.service").read_text()
    assert "Before=docker.service" in unit
    (data / "huggingface/shared/model").touch()
    assert (boots(tmp_path).returncode, mounted_at(data)) == (0, disk.device)
    unmount(data)
    assert (boots(tmp_path).returncode, mounted_at(data)) == (0, disk.device)
    assert (data / "huggingface/shared/model").exists(), "a reboot keeps the models"
    is_stopped_fully(tmp_path, disk)
    again = boots(tmp_path)
    assert (again.returncode, mounted_at(data)) == (0, disk.device), again.stderr
    assert not (data / "huggingface/shared/model").exists()
    assert (data / "huggingface/shared").is_dir()


def test_a_disk_of_another_size_that_came_meanwhile_is_not_taken_for_erased_scratch_storage(
    tmp_path: Path, attach: Attach
) -> None:
    (tmp_path / "etc").mkdir()
    disk, theirs = attach(), attach(SIZE + 512)
    assert asked(tmp_path, "data_disk", disk, before=SCRATCH).returncode == 0
    is_stopped_fully(tmp_path, disk)
    answer = asked(tmp_path, "data_disk", theirs, before=f"{SCRATCH}; ATTEMPT=2")
    assert (answer.returncode, theirs.is_blank) == (0, True)
    assert f"its size is {SIZE + 512} bytes, and the erased disk's was {SIZE}" in answer.stderr
    assert asked(tmp_path, "data_disk", theirs, disk, before=f"{SCRATCH}; ATTEMPT=2").returncode == 0
    assert (theirs.is_blank, mounted_at(tmp_path / "mnt/data")) == (True, disk.device)


def test_of_two_disks_with_our_label_none_is_chosen(tmp_path: Path, attach: Attach) -> None:
    (tmp_path / "etc").mkdir()
    for disk in (attach(), attach()):
        run("mkfs.ext4", "-q", "-L", LABEL, disk.device)
    answer = asked(tmp_path, "data_disk")
    assert answer.returncode == 1
    assert f"More than one disk is labelled {LABEL}" in answer.stderr
