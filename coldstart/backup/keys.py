"""The keys of backups: age's X25519 keys, in the format of `age-keygen` (https://age-encryption.org/v1).

The public key (`age1…`) is enough to back up; restoring needs the secret one (`AGE-SECRET-KEY-1…`).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyrage

from coldstart.backup.errors import KeyUnusable

_SECRET: Final = "AGE-SECRET-KEY-1"  # noqa: S105 (how a key begins)
_PUBLIC: Final = "age1"
_NONE: Final = "no key was given: use --key-file, COLDSTART_BACKUP_KEY_FILE or COLDSTART_BACKUP_KEY."


@dataclass(frozen=True)
class BackupKeys:
    """`recipients` can only encrypt, `identities` also decrypt; both are pyrage's."""

    recipients: tuple[Any, ...]
    identities: tuple[Any, ...]


def read_keys(text: str, where: str) -> BackupKeys:
    """One key per line; empty lines and those with `#` are left out. Raises KeyUnusable, without the key."""
    recipients, identities = [], []
    for number, line in _lines(text):
        try:
            if line.startswith(_SECRET):
                identities.append(pyrage.x25519.Identity.from_str(line))
                recipients.append(identities[-1].to_public())
            elif line.startswith(_PUBLIC):
                recipients.append(pyrage.x25519.Recipient.from_str(line))
            else:
                raise KeyUnusable(
                    f"line {number} of {where} is no key of age, which begins with {_SECRET} or {_PUBLIC}; "
                    "coldstart backup --new-key makes one in a new file."
                )
        except (pyrage.IdentityError, pyrage.RecipientError) as error:
            raise KeyUnusable(f"line {number} of {where} is no key of age: {error}.") from None
    if not recipients:
        raise KeyUnusable(f"{where} holds no key.")
    return BackupKeys(tuple(recipients), tuple(identities))


def keys(file: Path | None, given: str | None) -> BackupKeys:
    """The keys in `file`, else those `given` by COLDSTART_BACKUP_KEY. Raises KeyUnusable."""
    if file is None:
        if not given:
            raise KeyUnusable(_NONE)
        return read_keys(given, "COLDSTART_BACKUP_KEY")
    try:
        return read_keys(file.read_text(), str(file))
    except FileNotFoundError:
        raise KeyUnusable(f"{file} does not exist; coldstart backup --new-key makes a key there.") from None
    except OSError as error:
        raise KeyUnusable(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise KeyUnusable(f"{file} is no text, and so no file with keys of age.") from None


def new_key(file: Path) -> None:
    """Make a secret key in a new file of mode 600. Raises KeyUnusable if there is a file already."""
    identity = pyrage.x25519.Identity.generate()
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(f"# public key: {identity.to_public()}\n{identity}\n")
            opened.flush()
            os.fsync(opened.fileno())
    except FileExistsError:
        raise KeyUnusable(f"{file} exists already; leave out --new-key to use it.") from None
    except OSError as error:
        raise KeyUnusable(f"no key can be made in {file}: {error.strerror}.") from None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if (stripped := line.strip()) and not stripped.startswith("#"):
            yield number, stripped
