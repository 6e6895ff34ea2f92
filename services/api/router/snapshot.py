"""What the router needs to serve without NATS and PostgreSQL, as a file: keys, names and routes of one moment.

It holds hashes of keys and no key. It is authenticated by a key that is derived from the master secret, so that nobody
else can add a key or a route to it, and only its own installation reads it.
"""

import hashlib
import hmac
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, Self
from uuid import UUID

import structlog
from pydantic import AwareDatetime, BaseModel, ValidationError

from services.api.access.api_keys import ApiKey
from services.api.catalogue.access_records import AccessRecords
from services.api.catalogue.catalogue import Model
from services.api.tenancy.offerings import Offering
from services.api.tenancy.organizations import Organization
from shared.lifecycle.instance import Instance
from shared.lifecycle.snapshot import read_snapshot

NAME: Final = "router-snapshot"
_FORMAT: Final = 1
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
_CLOCK_ERROR: Final = timedelta(minutes=1)
"""A snapshot may come from so far in the future, since clocks are corrected."""

log = structlog.get_logger()


@dataclass(frozen=True)
class RouterSnapshot:
    """`taken_at`: the moment up to which keys, names and routes are known. `instances` are the ready ones."""

    installation: UUID
    taken_at: datetime
    access: AccessRecords
    instances: Sequence[Instance]

    def age(self, now: datetime) -> timedelta:
        return max(now - self.taken_at, timedelta())


class _Key(BaseModel):
    sha256: str
    key: ApiKey


class _Document(BaseModel):
    format: Literal[1]
    installation: UUID
    taken_at: AwareDatetime
    read_at: AwareDatetime
    keys: list[_Key]
    organizations: list[Organization]
    models: list[Model]
    offerings: list[Offering]
    instances: list[Any]

    @classmethod
    def of(cls, snapshot: RouterSnapshot) -> Self:
        access = snapshot.access
        return cls(
            format=_FORMAT,
            installation=snapshot.installation,
            taken_at=snapshot.taken_at,
            read_at=access.read_at,
            keys=[_Key(sha256=sha256.hex(), key=key) for sha256, key in access.keys],
            organizations=list(access.organizations),
            models=list(access.models),
            offerings=list(access.offerings),
            instances=[instance.model_dump(mode="json") for instance in snapshot.instances],
        )

    def snapshot(self) -> RouterSnapshot:
        keys = [(bytes.fromhex(each.sha256), each.key) for each in self.keys]
        access = AccessRecords(keys, self.organizations, self.models, self.offerings, self.read_at)
        instances = [read_snapshot(each) for each in self.instances]
        return RouterSnapshot(self.installation, self.taken_at, access, instances)


def encoded(snapshot: RouterSnapshot, key: bytes) -> bytes:
    """A line with the code that authenticates the rest, which is JSON."""
    body = _Document.of(snapshot).model_dump_json().encode()
    return b"%b\n%b" % (_code(body, key), body)


def decoded(data: bytes, key: bytes) -> RouterSnapshot | None:
    """None for what was not written with this key, or by a version with another format."""
    code, _, body = data.partition(b"\n")
    if not hmac.compare_digest(code, _code(body, key)):
        log.warning("kept routes left out", reason="they were not written with this master secret")
        return None
    try:
        return _Document.model_validate_json(body).snapshot()
    except (ValidationError, ValueError) as error:
        log.warning("kept routes left out", reason=f"they are of another version: {error}")
        return None


def _code(body: bytes, key: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).hexdigest().encode()


@dataclass(frozen=True)
class SnapshotFile:
    """The newest snapshot, in `folder`. Several processes may write it: each replaces it as a whole."""

    folder: Path
    key: bytes = field(repr=False)

    def write(self, snapshot: RouterSnapshot) -> None:
        """On disk when it returns. Raises OSError; then the former one is still there."""
        self.folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        draft = self.folder / f"{NAME}.{os.getpid()}"
        with suppress(FileNotFoundError):
            draft.unlink()  # of a process that was killed
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as opened:
            opened.write(encoded(snapshot, self.key))
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(self.folder / NAME)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, now: datetime, max_age: timedelta, installation: UUID | None = None) -> RouterSnapshot | None:
        """None if there is no valid one, or it is too old, or of another installation than this one."""
        try:
            data = (self.folder / NAME).read_bytes()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                log.warning("kept routes left out", reason=repr(error))
            return None
        snapshot = decoded(data, self.key)
        if snapshot is None or installation not in (None, snapshot.installation):
            return None
        if snapshot.age(now) > max_age or snapshot.taken_at > now + _CLOCK_ERROR:
            log.warning("kept routes left out", reason="they are too old", taken_at=snapshot.taken_at.isoformat())
            return None
        return snapshot
