"""lsblk, blkid, mkfs, mount and mountpoint over a list of block devices that never existed."""

from pathlib import Path
from typing import Final

from simulator.host.disk import BlockDevice
from simulator.host.standins.call import Call, Flags, Machine, Refused

_NOTHING_FOUND: Final = 2
_NOT_MOUNTED: Final = 32


async def lsblk(machine: Machine, call: Call) -> int:
    flags = Flags("lsblk")
    for switch in ("--noheadings", "--nodeps", "--paths"):
        flags.add_argument(switch, action="store_true")
    flags.add_argument("--output", choices=("NAME,TYPE", "NAME"), required=True)
    flags.add_argument("device", nargs="?")
    given = flags.parse_args(call.arguments)
    if not given.noheadings or given.nodeps == (given.device is not None):
        raise Refused("listing with headings, or a tree of everything")
    if machine.fault("data_disk"):
        call.err("lsblk: failed to access sysfs directory: /sys/dev/block: No such file or directory")
        return 1
    for device in machine.disk.contents.devices:
        if device.parent is not None if given.nodeps else given.device not in (device.name, device.parent):
            continue
        name = device.name if given.paths else device.name.removeprefix("/dev/")
        call.out(f"{name} {device.type}" if given.output == "NAME,TYPE" else name)
    return 0


async def blkid(machine: Machine, call: Call) -> int:
    match list(call.arguments):
        case ["--label", label]:
            found = [device.name for device in machine.disk.contents.devices if device.label == label]
        case ["--probe", name]:
            device = _device(machine, name)
            partitioned = any(other.parent == name for other in machine.disk.contents.devices)
            found = [f'{name}: TYPE="{device.filesystem}"'] if device.filesystem or partitioned else []
        case other:
            raise Refused(" ".join(other))
    for line in found:
        call.out(line)
    return 0 if found else _NOTHING_FOUND


async def mkfs_ext4(machine: Machine, call: Call) -> int:
    flags = Flags("mkfs.ext4")
    flags.add_argument("-q", action="store_true")
    flags.add_argument("-L", required=True)
    flags.add_argument("device")
    given = flags.parse_args(call.arguments)
    device = _device(machine, given.device)
    if device.filesystem is not None:
        raise Refused(f"destroying the file system on {device.name}")
    device.filesystem, device.label = "ext4", given.L
    machine.disk.save()
    return 0


async def mount(machine: Machine, call: Call) -> int:
    flags = Flags("mount")
    flags.add_argument("device")
    flags.add_argument("folder", type=Path)
    given = flags.parse_args(call.arguments)
    device = _device(machine, given.device)
    if not given.folder.is_relative_to(machine.disk.root):
        raise Refused(f"mounting on {given.folder}")
    if device.filesystem is None:
        call.err(f"mount: {given.folder}: wrong fs type, bad option, bad superblock on {device.name}, "
                 "missing codepage or helper program, or other error.")  # fmt: skip
        return _NOT_MOUNTED
    device.mounted_at = str(given.folder)
    machine.disk.save()
    return 0


async def mountpoint(machine: Machine, call: Call) -> int:
    flags = Flags("mountpoint")
    flags.add_argument("--quiet", action="store_true", required=True)
    flags.add_argument("folder")
    folder = flags.parse_args(call.arguments).folder
    return 0 if any(device.mounted_at == folder for device in machine.disk.contents.devices) else _NOT_MOUNTED


def _device(machine: Machine, name: str) -> BlockDevice:
    for device in machine.disk.contents.devices:
        if device.name == name:
            return device
    raise Refused(f"no block device {name}")
