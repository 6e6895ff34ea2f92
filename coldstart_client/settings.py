"""Where the api is and which key it takes: as given, from the environment, from the settings file, else a local stack.

The same variables and files as the command line's; nothing is imported from it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from coldstart_client.errors import ConfigurationError
from coldstart_client.places import data_dir, read_settings_file

API_URL: Final = "COLDSTART_API_URL"
API_KEY: Final = "COLDSTART_API_KEY"
STACK_FILE: Final = "stack.json"
"""In the data folder of a stack while it runs: where it is, and its administrator's key."""
_HOST_MISSING: Final = "{} is no address of an api; it is a URL such as http://127.0.0.1:8080."


@dataclass(frozen=True)
class Address:
    """An api and a key for it."""

    url: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ConfigurationError for what no request can be made of."""
        if not self.key.isascii() or not self.key.isprintable():
            raise ConfigurationError(f"the key holds characters that no key has; see {API_KEY}.")
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ConfigurationError(_HOST_MISSING.format(self.url))

    @classmethod
    def found(
        cls, url: str | None = None, key: str | None = None, *, environment: Mapping[str, str] | None = None
    ) -> Self:
        """What is given wins over the environment, and that over the settings file; an empty variable is not set.

        Without a URL: the stack that runs in the data folder, with its administrator's key. That key is sent to no
        other api. Raises ConfigurationError.
        """
        known = dict(os.environ if environment is None else environment)
        for name, value in read_settings_file(known).items():
            known.setdefault(name, value)
        url, key = url or known.get(API_URL), key or known.get(API_KEY)
        if url and key:
            return cls(url, key)
        folder = data_dir(known)
        stack = _running_stack(folder)
        if not url:
            if stack is None:
                raise ConfigurationError(
                    f"no stack runs in {folder}: start one with 'coldstart up', or set {API_URL} and {API_KEY}."
                )
            return cls(stack.url, key or stack.key)
        if stack is None or stack.url != url.rstrip("/"):
            raise ConfigurationError(f"there is no key for {url}: set {API_KEY}, or name a key.")
        return cls(url, stack.key)

    @property
    def on_this_computer(self) -> bool:
        """Only this computer reaches it, so no proxy does."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def _running_stack(folder: Path) -> Address | None:
    path = folder / STACK_FILE
    try:
        stack: dict[str, Any] = json.loads(path.read_text())
        pid, address = int(stack["pid"]), Address(stack["api_url"], stack["admin_key"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    return address if _runs(pid) else None  # it may have been killed, and could not remove its file


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
