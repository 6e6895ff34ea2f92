"""What a machine reads from its user-data at its first boot, as cloud-init's modules `ssh` and `write_files` do."""

from dataclasses import dataclass, fields
from typing import Any, Final

import yaml

_HEADER: Final = b"#cloud-config"
_MODELLED: Final = {
    "ssh_keys", "ssh_authorized_keys", "ssh_deletekeys", "ssh_pwauth", "disable_root", "write_files",
}  # fmt: skip


@dataclass(frozen=True)
class WrittenFile:
    """`permissions` is octal, e.g. 0600."""

    path: str
    content: str
    append: bool = False
    permissions: str = "0644"


@dataclass(frozen=True)
class CloudInit:
    host_key_private: str | None = None
    """Ed25519, OpenSSH's format; None: the machine makes its own."""
    host_key_public: str | None = None
    authorized_keys: tuple[str, ...] = ()
    files: tuple[WrittenFile, ...] = ()


def parse(user_data: bytes) -> CloudInit:
    """Ignores user-data without the header, as cloud-init does. Raises ValueError for a key that is not modelled."""
    if not user_data.startswith(_HEADER):
        return CloudInit()
    config: dict[str, Any] = yaml.safe_load(user_data) or {}
    unknown = config.keys() - _MODELLED
    if unknown:
        raise ValueError(f"the simulated cloud-init does not model {sorted(unknown)}")
    keys = config.get("ssh_keys", {})
    unknown = keys.keys() - {"ed25519_private", "ed25519_public"}
    if unknown:
        raise ValueError(f"the simulated cloud-init does not model the ssh_keys {sorted(unknown)}")
    return CloudInit(
        host_key_private=keys.get("ed25519_private"),
        host_key_public=keys.get("ed25519_public"),
        authorized_keys=tuple(config.get("ssh_authorized_keys", ())),
        files=tuple(_file(entry) for entry in config.get("write_files", ())),
    )


def _file(entry: dict[str, Any]) -> WrittenFile:
    unknown = entry.keys() - {field.name for field in fields(WrittenFile)}
    if unknown:
        raise ValueError(f"the simulated cloud-init does not model the write_files {sorted(unknown)}")
    return WrittenFile(**entry)
