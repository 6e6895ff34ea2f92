"""apt-get, dpkg and curl, for the two packages that an install needs and the key of the toolkit's repository."""

from pathlib import Path
from typing import Final

from simulator.host.model import APT, NETWORK, MachineModel
from simulator.host.network_requests import AskedOf
from simulator.host.standins import weights
from simulator.host.standins.call import Call, Flags, Machine, Refused

_TOOLKIT_SITE: Final = "https://nvidia.github.io/libnvidia-container"
_TOOLKIT: Final = "nvidia-container-toolkit"
_COMMANDS: Final = {"docker.io": "docker", _TOOLKIT: "nvidia-ctk"}
_OPTIONS: Final = ("Acquire::Retries", "Acquire::https::CaInfo")
_APT_FAILED: Final = 100
_DPKG_FAILED: Final = 2
_PUBLIC_KEY: Final = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n(simulated)\n-----END PGP PUBLIC KEY BLOCK-----\n"


async def apt_get(machine: Machine, call: Call) -> int:
    flags = Flags("apt-get")
    flags.add_argument("-o", action="append", type=lambda option: option.split("=")[0], choices=_OPTIONS)
    flags.add_argument("-y", action="store_true")
    flags.add_argument("command", choices=("update", "install"))
    flags.add_argument("packages", nargs="*")
    given = flags.parse_intermixed_args(call.arguments)
    if machine.packages_locked:
        call.err("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1 (unattended-upgr)")
        return _APT_FAILED
    machine.disk.network_requests.note(AskedOf.PACKAGES, " ".join((given.command, *given.packages)))
    if given.command == "update":
        if machine.model is not None:
            await machine.model.sleep(machine.model.rates.apt_update_seconds)
        return _update(machine, call)
    if not given.y:
        raise Refused("an install that asks for confirmation")
    if machine.model is not None:
        for package in {*given.packages} - machine.disk.contents.packages:
            await _take_time(machine.model, package)
    return _install(machine, call, given.packages)


async def _take_time(model: MachineModel, package: str) -> None:
    """As long as it takes to download and to set up."""
    rates = model.rates
    if package == _TOOLKIT:
        megabytes, seconds = rates.toolkit_megabytes, rates.toolkit_setup_seconds
    else:
        megabytes, seconds = rates.docker_megabytes, rates.docker_setup_seconds
    await model.move(megabytes * 10**6, {NETWORK, APT})
    await model.sleep(seconds)


def _update(machine: Machine, call: Call) -> int:
    listed = machine.disk.root / "etc/apt/sources.list.d"
    sources = {path.stem: path.read_text() for path in sorted(listed.glob("*.list"))}
    for name, text in sources.items():
        key = machine.disk.root / "usr/share/keyrings" / f"{name}.asc"
        if f"[signed-by={key}] {_TOOLKIT_SITE}/" not in text or not key.exists():
            raise Refused(f"the package source {text.strip()!r}, or its key is missing")
    call.out("Hit:1 http://archive.ubuntu.com/ubuntu noble InRelease")
    for number, name in enumerate(sources, start=2):
        call.out(f"Get:{number} {_TOOLKIT_SITE}/stable/deb/amd64  InRelease [1477 B]")
        machine.disk.contents.sources.add(name)
    call.out("Reading package lists...")
    machine.disk.save()
    return 0


def _install(machine: Machine, call: Call, packages: list[str]) -> int:
    contents = machine.disk.contents
    for package in packages:
        if package not in _COMMANDS or (package == _TOOLKIT and package not in contents.sources):
            call.err(f"E: Unable to locate package {package}")
            return _APT_FAILED
    for package in packages:
        if package in contents.packages:
            call.out(f"{package} is already the newest version.")
            continue
        call.out(f"Setting up {package} ...")
        machine.disk.install_command(_COMMANDS[package])
        contents.packages.add(package)
        machine.write_authorized_keys()
    machine.disk.save()
    return 0


async def dpkg(machine: Machine, call: Call) -> int:
    match list(call.arguments):
        case ["--print-architecture"]:
            call.out("amd64")
        case ["--configure", "-a"] if machine.packages_locked:
            call.err("dpkg: error: dpkg frontend lock was locked by another process with pid 1")
            return _DPKG_FAILED
        case ["--configure", "-a"]:
            pass
        case other:
            raise Refused(" ".join(other))
    return 0


async def curl(machine: Machine, call: Call) -> int:
    if "--config" in call.arguments:
        return await weights.curl(machine, call)
    flags = Flags("curl")
    for quiet in ("--fail", "--silent", "--show-error", "--location"):
        flags.add_argument(quiet, action="store_true")
    flags.add_argument("--retry", type=int)
    flags.add_argument("--max-time", type=int)
    flags.add_argument("--output", type=Path, required=True)
    flags.add_argument("--write-out", choices=("%{http_connect}",))
    flags.add_argument("url", choices=(f"{_TOOLKIT_SITE}/gpgkey",))
    asked = flags.parse_args(call.arguments)
    _download(asked.output, machine.disk.root)
    machine.disk.network_requests.note(AskedOf.PACKAGES, asked.url)
    if asked.write_out:
        call.out("000")
    return 0


def _download(output: Path, root: Path) -> None:
    if not output.is_relative_to(root):
        raise Refused(f"an output file at {output}")
    output.write_text(_PUBLIC_KEY)
