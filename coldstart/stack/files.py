"""A stack's files in its data folder: secrets made once, and its address while it runs."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

from coldstart.refusals import Refused

MASTER_SECRET: Final = "master-secret"  # noqa: S105 (a file's name)
ADMIN_KEY: Final = "admin-key"
ARCHIVE: Final = "archive"
"""The folder of compacted histories, unless COLDSTART_ARCHIVE_DIR names another."""
_ARCHIVE_DIR: Final = "COLDSTART_ARCHIVE_DIR"
ROUTER: Final = "router"
"""The folder of what the router keeps, unless COLDSTART_ROUTER_SNAPSHOT_DIR names another."""
_ROUTER_DIR: Final = "COLDSTART_ROUTER_SNAPSHOT_DIR"
SIMULATED: Final = "simulated"
CLOUDS: Final = "clouds"
_RUNNING: Final = "stack.json"


class NoStack(Refused):
    """No stack runs in this data folder."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"no stack runs in {data_dir}: start one with 'coldstart up', "
            "or set COLDSTART_API_URL and COLDSTART_API_KEY."
        )


@dataclass(frozen=True)
class Reach:
    """How to reach a running stack. `simulator_url` is None if it uses a real cloud.

    `nats_url` is the operator's, `follower_nats_url` only reads; None if the server is not the stack's own.
    """

    api_url: str
    admin_key: str
    nats_url: str
    database_url: str
    simulator_url: str | None
    pid: int
    follower_nats_url: str | None = None


class SecretMissing(Refused):
    """A secret of an existing installation is missing. A new one would not match."""

    def __init__(self, path: Path, variable: str) -> None:
        super().__init__(
            f"{path} is missing or empty, but this installation needs its original secret: restore the file, or "
            f"set {variable}. To begin a new installation, set COLDSTART_DATA_DIR to a new folder."
        )


class NoInstallation(Refused):
    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"there is no installation in {data_dir}: set COLDSTART_DATA_DIR to its folder, or start one there with "
            "'coldstart up'."
        )


def stored(data_dir: Path, name: str) -> str | None:
    """The secret in this file; None if it is missing or empty."""
    try:
        return (data_dir / name).read_text().strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None


def made_once(data_dir: Path, name: str, prefix: str = "") -> tuple[str, bool]:
    """The secret in this file (mode 600), and whether this call made it. Safe for several processes at once."""
    found = stored(data_dir, name)
    if found is not None:
        return found, False
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, draft = data_dir / name, data_dir / f"{name}.{secrets.token_hex(8)}"
    secret = prefix + secrets.token_urlsafe(32)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        found = stored(data_dir, name)
        if found is None:
            raise SecretMissing(path, f"COLDSTART_{name.replace('-', '_').upper()}") from None
        return found, False
    finally:
        draft.unlink()
    return secret, True


def archive_dir(data_dir: Path) -> Path:
    """Where compacted histories are."""
    return Path(os.environ.get(_ARCHIVE_DIR) or data_dir / ARCHIVE).absolute()


def archive_setting(data_dir: Path) -> dict[str, str]:
    """The same, for the environment of a service or command."""
    return {_ARCHIVE_DIR: str(archive_dir(data_dir))}


def router_setting(data_dir: Path) -> dict[str, str]:
    """Where the router keeps keys and routes, for the environment of the api."""
    return {_ROUTER_DIR: str(Path(os.environ.get(_ROUTER_DIR) or data_dir / ROUTER).absolute())}


def write_reach(data_dir: Path, reach: Reach) -> None:
    path = data_dir / f"{_RUNNING}.new"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(reach), file)
    path.replace(data_dir / _RUNNING)


def forget_reach(data_dir: Path) -> None:
    (data_dir / _RUNNING).unlink(missing_ok=True)


def note_clouds(data_dir: Path, provisioned: frozenset[str]) -> None:
    """Remember that this installation has used these clouds."""
    known = clouds(data_dir) or frozenset()
    if not provisioned <= known:
        draft = data_dir / f"{CLOUDS}.new"
        draft.write_text("".join(f"{each}\n" for each in sorted(known | provisioned)))
        draft.replace(data_dir / CLOUDS)


def clouds(data_dir: Path) -> frozenset[str] | None:
    """All clouds that it has ever used; None if unknown."""
    try:
        return frozenset((data_dir / CLOUDS).read_text().splitlines())
    except FileNotFoundError:
        return None


def find_reach(data_dir: Path) -> Reach:
    """Raises NoStack."""
    try:
        reach = Reach(**json.loads((data_dir / _RUNNING).read_text()))
    except (FileNotFoundError, NotADirectoryError):
        raise NoStack(data_dir) from None
    if not psutil.pid_exists(reach.pid):  # it was killed, and could not remove its file
        raise NoStack(data_dir)
    return reach
