"""A machine's disk: what a power-off leaves and the next boot finds."""

import shutil
from pathlib import Path
from threading import Lock
from typing import Final

import asyncssh
from pydantic import BaseModel, Field

from simulator.host.cloud_init import CloudInit, WrittenFile
from simulator.host.network_requests import NetworkRequests

_STAND_IN: Final = Path(__file__).parent / "standins" / "client.bash"
_STAND_INS: Final = (
    "apt-get", "blkid", "cmp", "curl", "dd", "df", "dpkg", "fsfreeze", "lsblk", "mkfs.ext4", "mount", "mountpoint",
    "nvidia-smi", "sha256sum", "sync", "systemctl", "udevadm",
)  # fmt: skip
_TOOLS: Final = (
    "awk", "base64", "basename", "bash", "cat", "chmod", "cp", "cut", "date", "dirname", "du", "echo", "env",
    "false", "find", "flock", "free", "grep", "head", "hostname", "id", "kill", "ln", "ls", "mkdir", "mktemp", "mv",
    "nproc", "od", "printf", "readlink", "realpath", "rm", "rmdir", "sed", "seq", "setsid", "sh", "sha1sum",
    "sleep", "sort", "stat", "tail", "tee", "test", "timeout", "touch", "tr", "true", "uname", "uniq",
    "uptime", "wc", "xargs",
)  # fmt: skip
_SYSTEM_PATH: Final = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


_UNITS: Final = {"G": 10**9, "T": 10**12}


class BlockDevice(BaseModel):
    """`data`: it has content, but no signature. `unreadable`: every read fails with an I/O error."""

    name: str
    size: str
    type: str = "disk"
    parent: str | None = None
    filesystem: str | None = None
    label: str | None = None
    mounted_at: str | None = None
    removable: bool = False
    read_only: bool = False
    data: bool = False
    unreadable: bool = False
    scratch: bool = False
    """On the machine's own storage: a full stop erases it."""

    @property
    def bytes(self) -> int:
        return round(float(self.size[:-1]) * _UNITS[self.size[-1]])


class Container(BaseModel):
    """The options of `docker run`, and the state of the container."""

    id: str
    name: str
    image: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    host_port: int | None
    container_port: int | None
    """None: nobody outside of the container reaches it."""
    restarts: bool
    labels: dict[str, str] = {}
    cache: Path | None = None
    """The machine's folder that the image has as its model cache."""
    kernels: Path | None = None
    """The machine's folder that the container keeps compiled code in; None: that goes with the container."""
    tls: Path | None = None
    """The machine's folder that the container has at /etc/coldstart/tls."""
    shared_memory: str | None = None
    """`--shm-size`; None means Docker's 64 MB."""
    created_at: float
    running: bool = False
    restart_count: int = 0
    exit_code: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    printed_before: int = 0
    """Bytes in its log when it was started last."""


class Contents(BaseModel):
    """Everything that the stand-ins remember."""

    packages: set[str] = set()
    sources: set[str] = set()
    """The package sources that the last `apt-get update` read."""
    configured_runtimes: set[str] = set()
    """The runtimes that nvidia-ctk configured; Docker reads them when it starts."""
    docker_runtimes: set[str] = set()
    images: set[str] = set()
    containers: dict[str, Container] = {}
    devices: list[BlockDevice] = Field(
        default_factory=lambda: [
            BlockDevice(name="/dev/vda", size="200G"),
            BlockDevice(name="/dev/vda1", size="199G", type="part", parent="/dev/vda", filesystem="ext4",
                        label="cloudimg-rootfs", mounted_at="/"),
        ]
    )  # fmt: skip
    bound: set[str] = set()
    """Where something of the machine's memory, or the boot disk once more, is mounted until the power is off."""
    failed_installs: int = 0
    enabled_units: set[str] = set()
    """Units that were added to the machine and start at each boot, as `systemctl enable` was told."""


class Disk:
    """A folder: `root/` is the machine's file system, `bin/` its whole PATH, `contents.json` all other state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.bin = folder / "bin"
        self._contents = folder / "contents.json"
        self._boot = folder / "boot"
        self._anew = folder / "anew"
        self.contents = Contents()
        self.network_requests = NetworkRequests(folder)
        self._removing = Lock()

    @property
    def host_key(self) -> Path:
        return self._seen("etc/ssh/ssh_host_ed25519_key")

    @property
    def temporary(self) -> Path:
        return self.root / "var/tmp"

    @property
    def authorized_keys(self) -> Path:
        return self._seen("root/.ssh/authorized_keys")

    @property
    def instance_keys(self) -> Path:
        return self.root / "root/.ssh/instance_keys"

    @property
    def boot(self) -> str:
        """The id of the boot that uses this disk. A power-off clears it; a crash leaves it."""
        return self._boot.read_text() if self._boot.exists() else ""

    @boot.setter
    def boot(self, boot_id: str) -> None:
        if self.folder.exists():
            self._boot.write_text(boot_id)

    @property
    def anew(self) -> bool:
        """It is a copy of another machine's, and was never booted."""
        return self._anew.exists()

    def attach(self, cloud_init: CloudInit) -> None:
        """Read what the last boot left. At the first boot, lay out the machine as cloud-init does."""
        if self._contents.exists():
            self.contents = Contents.model_validate_json(self._contents.read_bytes())
            if self.anew:
                self._configure(cloud_init)
                self._anew.unlink()
            return
        for path in ("etc/ssh", "mnt", "root/.ssh", "usr", "var/lib", "var/log", "var/tmp"):
            (self.root / path).mkdir(parents=True, exist_ok=True)
        self.bin.mkdir(parents=True, exist_ok=True)
        for tool in _TOOLS:
            found = shutil.which(tool, path=_SYSTEM_PATH)
            if found is not None:
                _link(self.bin / tool, Path(found))
        for name in _STAND_INS:
            self.install_command(name)
        self._configure(cloud_init)
        self.save()

    def _configure(self, cloud_init: CloudInit) -> None:
        """What cloud-init does once on each machine: also on one whose disk has seen another machine's."""
        for file in cloud_init.files:
            self._write(file)
        self._write_keys(cloud_init)

    def begin_anew(self) -> None:
        """The next boot is the first one of another machine."""
        self.contents = Contents.model_validate_json(self._contents.read_bytes())
        self.contents.failed_installs = 0
        self.save()
        self.network_requests.forget()
        self._boot.unlink(missing_ok=True)
        self._anew.touch()

    def drop_scratch(self, original: Path) -> None:
        """Of a copy of the disk in that folder: scratch storage is not on it."""
        self.contents = Contents.model_validate_json(self._contents.read_bytes())
        for device in [device for device in self.contents.devices if device.scratch]:
            if device.mounted_at is not None:
                shutil.rmtree(self.folder / Path(device.mounted_at).relative_to(original), ignore_errors=True)
            self.contents.devices.remove(device)
        self.save()

    def boot_devices(self, scratch: int) -> None:
        """Devices as a boot finds them: with scratch storage of this size, and mounted only if fstab says so."""
        devices, fstab = self.contents.devices, self.root / "etc/fstab"
        if scratch and not any(device.scratch for device in devices):
            devices.append(BlockDevice(name="/dev/nvme0n1", size=f"{scratch / _UNITS['G']:g}G", scratch=True))
        kept = fstab.read_text() if fstab.exists() else ""
        for device in devices:
            if device.mounted_at != "/" and f"LABEL={device.label} " not in kept:
                device.mounted_at = None
        self.save()

    def forget_memory(self) -> None:
        """As a power-off does: what was in /run, and what was mounted from there."""
        memory = self.root / "run"
        if self._contents.exists() and memory.exists():
            shutil.rmtree(memory)
            self.contents.bound.clear()
            self.save()

    def erase_scratch(self) -> None:
        """As a full stop does. What was mounted there is no longer seen."""
        if not self._contents.exists():
            return
        self.contents = Contents.model_validate_json(self._contents.read_bytes())
        for device in self.contents.devices:
            if device.scratch:
                for path in Path(device.mounted_at).iterdir() if device.mounted_at else ():
                    shutil.rmtree(path)
                device.filesystem = device.label = device.mounted_at = None
        self.save()

    def install_command(self, name: str) -> None:
        """Put this stand-in on the machine's PATH, also in the place of a program of this system."""
        if (self.bin / name).is_symlink() and (self.bin / name).readlink() != _STAND_IN:
            (self.bin / name).unlink()
        _link(self.bin / name, _STAND_IN)

    def save(self) -> None:
        temporary = self._contents.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text(self.contents.model_dump_json())
        temporary.replace(self._contents)

    def log_of(self, container: Container) -> Path:
        return self.folder / f"container-{container.id}.log"

    def remove(self) -> None:
        """Raises OSError if something still writes there.

        The simulator's end may ask for it while a deletion is still at it, in a thread that cannot be cancelled.
        """
        with self._removing:
            if self.folder.exists():
                shutil.rmtree(self.folder)

    def _seen(self, path: str) -> Path:
        """The file as the machine's programs see it: a sealed machine has some in memory."""
        kept = self.root / "run/coldstart/sealing/kept" / path
        return kept if kept.exists() else self.root / path

    def _write(self, file: WrittenFile) -> None:
        path = self.root / file.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.chmod(int(file.permissions, 8))
        before = path.read_text() if file.append else ""
        path.write_text(before + file.content)

    def _write_keys(self, cloud_init: CloudInit) -> None:
        private = cloud_init.host_key_private
        if private is None:
            private = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
        self.host_key.touch(mode=0o600)
        self.host_key.write_text(private)
        if cloud_init.host_key_public is not None:
            self.host_key.with_suffix(".pub").write_text(cloud_init.host_key_public)
        self.authorized_keys.touch(mode=0o600)
        self.authorized_keys.write_text("".join(f"{key.strip()}\n" for key in cloud_init.authorized_keys))


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target)
