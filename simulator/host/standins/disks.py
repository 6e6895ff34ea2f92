"""lsblk, blkid, cmp, df, mkfs, mount, mountpoint and udevadm, for the machine's list of block devices.

dd, fsfreeze and sync, as far as a seal and ranges of weights use them: the blocks of the disk are not simulated.
"""

from pathlib import Path
from typing import Final

from simulator.host.disk import BlockDevice
from simulator.host.standins import weights
from simulator.host.standins.call import Call, Flags, Machine, Refused

_NOTHING_FOUND: Final = 2
_NOT_MOUNTED: Final = 32
_TROUBLE: Final = 2
_TAKEN: Final = 0.1
"""The part of each disk that is used. What stand-ins write takes no room."""


async def lsblk(machine: Machine, call: Call) -> int:
    match list(call.arguments):
        case ["--noheadings", "--output", "NAME", name]:
            shown = [each.name.removeprefix("/dev/") for each in _devices(machine) if name in {each.name, each.parent}]
        case ["--pairs", "--nodeps", "--bytes", "--paths", "--output", "KNAME,TYPE,RM,RO,HOTPLUG,SIZE,MOUNTPOINT"]:
            shown = [_in_pairs(device) for device in _devices(machine) if device.parent is None]
        case other:
            raise Refused(" ".join(other))
    if machine.fault("data_disk"):
        call.err("lsblk: failed to access sysfs directory: /sys/dev/block: No such file or directory")
        return 1
    for line in shown:
        call.out(line)
    return 0


def _in_pairs(device: BlockDevice) -> str:
    removable = int(device.removable)
    return (
        f'KNAME="{device.name}" TYPE="{device.type}" RM="{removable}" RO="{int(device.read_only)}" '
        f'HOTPLUG="{removable}" SIZE="{device.bytes}" MOUNTPOINT="{device.mounted_at or ""}"'
    )


async def blkid(machine: Machine, call: Call) -> int:
    """An unreadable device counts as one without a signature, as for the real blkid."""
    match list(call.arguments):
        case ["--cache-file", "/dev/null", "--match-token", token, "--output", "device"]:
            label = token.removeprefix("LABEL=")
            found = [each.name for each in _devices(machine) if each.label == label and not each.unreadable]
        case ["--probe", name]:
            device = _device(machine, name)
            partitioned = any(other.parent == name for other in _devices(machine))
            bears = (device.filesystem or partitioned) and not device.unreadable
            found = [f'{name}: TYPE="{device.filesystem}"'] if bears else []
        case other:
            raise Refused(" ".join(other))
    for line in found:
        call.out(line)
    return 0 if found else _NOTHING_FOUND


async def cmp(machine: Machine, call: Call) -> int:
    """Compare a part of a disk with zeros: 0 means equal, 1 different, 2 an error."""
    flags = Flags("cmp")
    flags.add_argument("--silent", action="store_true", required=True)
    flags.add_argument("--ignore-initial", required=True)
    flags.add_argument("--bytes", type=int, required=True)
    flags.add_argument("device")
    flags.add_argument("zeros", choices=("/dev/zero",))
    given = flags.parse_args(call.arguments)
    device = _device(machine, given.device)
    at, of_zeros = map(int, given.ignore_initial.split(":"))
    if of_zeros != 0 or at + given.bytes > device.bytes:
        raise Refused("a comparison past the end of the device")
    if device.unreadable:
        return _TROUBLE
    return 1 if device.data or device.filesystem else 0


async def df(machine: Machine, call: Call) -> int:
    match list(call.arguments):
        case ["-h"]:
            shown = [each for each in _devices(machine) if each.mounted_at]
        case [*_, folder]:
            shown = [_device_under(machine, folder)]
    match list(call.arguments)[:-1]:
        case [] | ["-h"]:
            call.out("Filesystem      Size  Used Avail Use% Mounted on")
            for device in shown:
                call.out(f"{device.name}  {device.size}  {_TAKEN:.0%}  {device.mounted_at}")
        case ["--output=used", "--block-size=1MB"]:
            call.out(f"    Used\n{round(shown[0].bytes * _TAKEN / 10**6)}")
        case ["--output=source,avail", "--block-size=1"]:
            call.out(f"Filesystem  Avail\n{shown[0].name}  {round(shown[0].bytes * (1 - _TAKEN))}")
        case other:
            raise Refused(" ".join(other))
    return 0


async def udevadm(machine: Machine, call: Call) -> int:
    del machine
    if list(call.arguments) != ["settle", "--timeout=30"]:
        raise Refused(" ".join(call.arguments))
    return 0


async def mkfs_ext4(machine: Machine, call: Call) -> int:
    flags = Flags("mkfs.ext4")
    flags.add_argument("-q", action="store_true")
    flags.add_argument("-L", required=True)
    flags.add_argument("device")
    given = flags.parse_args(call.arguments)
    device = _device(machine, given.device)
    if device.filesystem is not None or device.data or device.removable or device.read_only or device.unreadable:
        raise Refused(f"a format of {device.name}, which has content or cannot be written")
    device.filesystem, device.label = "ext4", given.L
    machine.disk.save()
    return 0


async def dd(machine: Machine, call: Call) -> int:
    if any(argument.startswith("seek=") for argument in call.arguments):
        return await weights.copy_range(machine, call)
    given = dict(argument.split("=", 1) for argument in call.arguments)
    if given.pop("if") != "/dev/zero" or given.keys() != {"of", "bs", "oflag"}:
        raise Refused(" ".join(call.arguments))
    call.err(f"dd: error writing '{given['of']}': No space left on device")
    return 1


async def does_nothing(machine: Machine, call: Call) -> int:
    del machine, call
    return 0


def _bind(machine: Machine, what: Path, folder: Path) -> int:
    """What is kept in memory is seen by its name there; of the boot disk there is a second name."""
    root = machine.disk.root
    if not folder.is_relative_to(root):
        raise Refused(f"a mount on {folder}")
    if what == root:
        folder.rmdir()
        folder.symlink_to(root)
    elif not what.is_relative_to(root / "run"):
        raise Refused(f"a mount of {what}")
    machine.disk.contents.bound.add(str(folder))
    machine.disk.save()
    return 0


async def mount(machine: Machine, call: Call) -> int:
    match list(call.arguments):
        case ["--bind", what, folder]:
            return _bind(machine, Path(what), Path(folder))
    flags = Flags("mount")
    flags.add_argument("device")
    flags.add_argument("folder", type=Path)
    given = flags.parse_args(call.arguments)
    device = _device(machine, given.device)
    if not given.folder.is_relative_to(machine.disk.root):
        raise Refused(f"a mount on {given.folder}")
    if device.filesystem is None:
        call.err(f"mount: {given.folder}: wrong fs type, bad option, bad superblock on {device.name}, "
                 "missing codepage or helper program, or other error.")  # fmt: skip
        return _NOT_MOUNTED
    device.mounted_at = str(given.folder)
    machine.disk.save()
    return 0


async def mountpoint(machine: Machine, call: Call) -> int:
    flags = Flags("mountpoint")
    asked = flags.add_mutually_exclusive_group(required=True)
    asked.add_argument("--quiet", action="store_true")
    asked.add_argument("--fs-devno", action="store_true")
    flags.add_argument("folder")
    given = flags.parse_args(call.arguments)
    if given.fs_devno:
        call.out("0:0")
        return 0
    folder = given.folder
    if folder == str(machine.disk.root / "run") or folder in machine.disk.contents.bound:
        return 0
    return 0 if any(device.mounted_at == folder for device in machine.disk.contents.devices) else _NOT_MOUNTED


def _devices(machine: Machine) -> list[BlockDevice]:
    return machine.disk.contents.devices


def _device_under(machine: Machine, folder: str) -> BlockDevice:
    """The device of the longest mount point that the folder is under. All but `/` are paths of this computer."""
    holding = [each for each in _devices(machine) if each.mounted_at and folder.startswith(each.mounted_at)]
    return max(holding, key=lambda device: len(device.mounted_at or ""))


def _device(machine: Machine, name: str) -> BlockDevice:
    for device in _devices(machine):
        if device.name == name:
            return device
    raise Refused(f"no block device {name}")
