"""Restores a backup: into a new data folder, or into the empty servers that the settings name.

The whole file is read and authenticated before anything is changed. A data folder is made beside its place and renamed
when it is complete.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from coldstart.backup.backup import UNREADABLE
from coldstart.backup.contents import Amounts, Manifest, check, load_contents
from coldstart.backup.errors import NotRestored
from coldstart.backup.keys import BackupKeys
from coldstart.backup.sealed_file import unsealed
from coldstart.embedded.servers import servers
from coldstart.settings import StackSettings
from coldstart.stack.present import stack_process

_MODE: Final = 0o600


async def restore(
    settings: StackSettings, data_dir: Path, file: Path, keys: BackupKeys, *, replicas: int, replace: bool
) -> tuple[Manifest, Amounts, Path | None]:
    """`replace`: put what is in the data folder aside; where to is returned last.

    Raises BackupRefused, EmbeddedServerError; nothing is changed then.
    """
    manifest = check(unsealed(file, keys.identities))
    nats_url = settings.nats_url.get_secret_value() if settings.nats_url else None
    database_url = settings.database_url.get_secret_value() if settings.database_url else None
    with _as_not_restored(), _new_folder(data_dir, replace=replace) as (draft, put_aside):

        def keep(name: str, data: bytes) -> None:
            (draft / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _MODE), "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())

        async with servers(draft, nats_url, database_url) as running:
            amounts = await load_contents(
                unsealed(file, keys.identities), running.nats_url, running.database_url, replicas=replicas, keep=keep
            )
    return manifest, amounts, put_aside


@contextmanager
def _as_not_restored() -> Iterator[None]:
    """What a server, the disk or the system says is a reason in one sentence."""
    try:
        yield
    except UNREADABLE as error:
        raise NotRestored(f"nothing was restored: {error}") from error


@contextmanager
def _new_folder(data_dir: Path, *, replace: bool) -> Iterator[tuple[Path, Path | None]]:
    """A folder that takes the place of `data_dir` when the block ends well. Raises NotRestored."""
    if (process := stack_process(data_dir)) is not None:
        raise NotRestored(f"a stack runs in {data_dir} (process {process.pid}): stop it by coldstart down.")
    full = data_dir.exists() and any(data_dir.iterdir())
    if full and not replace:
        raise NotRestored(
            f"{data_dir} is not empty: set COLDSTART_DATA_DIR to a new folder, or add --replace to put this one aside."
        )
    aside = data_dir.with_name(f"{data_dir.name}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%S}") if full else None
    draft = data_dir.with_name(f"{data_dir.name}.restoring")
    if draft.exists():  # of a restore that was killed
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700, parents=True)
    try:
        yield draft, aside
        if aside is not None:
            data_dir.rename(aside)
        draft.replace(data_dir)
    finally:
        if draft.exists():
            shutil.rmtree(draft)
