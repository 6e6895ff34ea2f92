"""What a stack leaves in its data folder: secrets made once, and where it can be reached while it runs."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

_RUNNING: Final = "stack.json"


class NoStack(Exception):
    """No stack runs in this data folder."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"no stack runs in {data_dir}: start one with 'coldstart up', "
            "or set COLDSTART_API_URL and COLDSTART_API_KEY."
        )


@dataclass(frozen=True)
class Reach:
    """How to talk to a running stack. `simulator_url` is None when it provisions in a real cloud."""

    api_url: str
    admin_key: str
    nats_url: str
    database_url: str
    simulator_url: str | None
    pid: int


def made_once(data_dir: Path, name: str, prefix: str = "") -> tuple[str, bool]:
    """The secret in this file (mode 600), and whether it was made just now."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip(), False
    secret = prefix + secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
    return secret, True


def tell_reach(data_dir: Path, reach: Reach) -> None:
    path = data_dir / f"{_RUNNING}.new"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(reach), file)
    path.replace(data_dir / _RUNNING)


def forget_reach(data_dir: Path) -> None:
    (data_dir / _RUNNING).unlink(missing_ok=True)


def find_reach(data_dir: Path) -> Reach:
    """Raises NoStack."""
    try:
        reach = Reach(**json.loads((data_dir / _RUNNING).read_text()))
    except (FileNotFoundError, NotADirectoryError):
        raise NoStack(data_dir) from None
    if not psutil.pid_exists(reach.pid):  # it was killed, and could not take its file with it
        raise NoStack(data_dir)
    return reach
