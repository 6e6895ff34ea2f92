"""Folders with Debian in them: the machine's disk and the base of vLLM's image, made by debootstrap."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from real_line.addresses import REGISTRY_PORT
from real_line.commands import Commands

SUITE: Final = "bookworm"
PYTHON: Final = "3.11"
"""This suite's Python."""
HOST_PACKAGES: Final = (
    *("debootstrap", "systemd-container", "dpkg-dev", "e2fsprogs"),
    *("iproute2", "util-linux", "binutils", "gcc", "libc6-dev"),
)
MACHINE_PACKAGES: Final = (
    *("systemd", "systemd-sysv", "dbus", "udev", "kmod", "openssh-server", "iproute2", "iptables", "procps"),
    *("curl", "ca-certificates", "gawk", "python3-minimal", "apt-utils"),
)
CLOUD_INIT: Final = "cloud-init"
"""Also on the machine, switched off."""
IMAGE_PACKAGES: Final = ("python3", "python3-dev", "ca-certificates", "libgomp1", "libnuma1", "g++")
"""With a compiler, as the official image has one: torch compiles what it generates."""
DISK_GB: Final = 14
"""The machine's disk: room for an image of 3 GB, and as much while it is pulled. Only what is written takes place."""
_INSTALL: Final = (
    *("env", "DEBIAN_FRONTEND=noninteractive"),
    *("apt-get", "install", "-y", "-qq", "--no-install-recommends"),
)
_MIRROR: Final = f"[Service]\nEnvironment=DOCKER_OPTS=--registry-mirror=http://127.0.0.1:{REGISTRY_PORT}\n"


def install_on_host(run: Commands) -> None:
    """Installs what is missing of HOST_PACKAGES, and says how much that downloads."""
    missing = [name for name in HOST_PACKAGES if not _is_installed(name)]
    if not missing:
        return
    run("apt-get", "update", "-qq")
    uris = run(*_INSTALL, "--print-uris", *missing).splitlines()
    size = sum(int(line.split()[2]) for line in uris if line[:1] == "'")
    print(f"apt-get install {' '.join(missing)} ({size / 1e6:.0f} MB) …", flush=True)
    run(*_INSTALL, *missing)


def unpack(run: Commands, package: str, folder: Path) -> None:
    """The files of a package, without installing it: its service would start on this machine."""
    run("apt-get", "update", "-qq")
    run("env", f"--chdir={folder}", "apt-get", "download", package)
    for archive in folder.glob("*.deb"):
        run("dpkg-deb", "--extract", archive, folder)
        archive.unlink()


def bootstrap(run: Commands, root: Path, packages: Sequence[str]) -> None:
    """A minimal Debian with these packages."""
    run("debootstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, root)
    shutil.rmtree(root / "var/cache/apt/archives")
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)


def machine_disk(run: Commands, folder: Path) -> None:
    """Makes `folder/disk.ext4`: the machine before anybody signed in, with docker.io in an apt source of its own."""
    root = folder / "root"
    bootstrap(run, root, MACHINE_PACKAGES)
    run("chroot", root, "apt-get", "update", "-qq")
    run("chroot", root, *_INSTALL, CLOUD_INIT)  # debootstrap cannot configure what it depends on
    run("chroot", root, "apt-get", "clean")
    _add_apt_source(run, root, "docker.io")
    (root / "etc/cloud/cloud-init.disabled").touch()  # one scene starts it
    (root / "etc/hostname").write_text("gpu1\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 gpu1\n")
    (root / "etc/resolv.conf").write_text("")
    mirror = root / "etc/systemd/system/docker.service.d/mirror.conf"
    mirror.parent.mkdir(parents=True)
    mirror.write_text(_MIRROR)
    shutil.copy(root / "etc/ssh/ssh_host_ed25519_key.pub", folder / "host_key.pub")
    disk = folder / "disk.ext4"
    disk.touch()
    with disk.open("r+b") as file:
        file.truncate(DISK_GB * 10**9)
    run("mkfs.ext4", "-q", "-d", root, disk)
    shutil.rmtree(root)


def _add_apt_source(run: Commands, root: Path, package: str) -> None:
    """The machine reaches no network: what apt would download for `package` lies in /srv/apt, as a `file:` source."""
    run("chroot", root, "apt-get", "install", "-y", "-qq", "--download-only", package)
    source = root / "srv/apt"
    source.mkdir()
    for archive in (root / "var/cache/apt/archives").glob("*.deb"):
        archive.rename(source / archive.name)
    index = subprocess.run(["dpkg-scanpackages", "."], cwd=source, capture_output=True, check=True).stdout
    (source / "Packages").write_bytes(index)
    shutil.rmtree(root / "var/lib/apt/lists")
    (root / "var/lib/apt/lists/partial").mkdir(parents=True)
    for former in (root / "etc/apt/sources.list.d").iterdir():
        former.unlink()
    (root / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/srv/apt ./\n")


def _is_installed(package: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package], capture_output=True, check=False
    )
    return asked.stdout == b"installed"
