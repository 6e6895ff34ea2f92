"""`coldstart backup` and `restore`."""

import asyncio
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from coldstart.backup.backup import back_up
from coldstart.backup.contents import Amounts
from coldstart.backup.keys import BackupKeys, keys, new_key
from coldstart.backup.restore import restore as restore_backup
from coldstart.commands.context import explained, say
from coldstart.settings import BackupSettings, StackSettings, from_environment
from shared.logs import configure_logs

_MB = 1e6

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.", dir_okay=False)]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", help="A file with age keys. Default: COLDSTART_BACKUP_KEY_FILE, COLDSTART_BACKUP_KEY."),
]


def backup(
    file: File,
    key_file: KeyFile = None,
    new: Annotated[bool, typer.Option("--new-key", help="Make the key file first. Keep a copy elsewhere.")] = False,
) -> None:
    """Back up this installation into one encrypted file, whether or not the stack runs.

    A public key (age1…) is enough. Restoring needs the secret key that belongs to it.
    """
    configure_logs("backup", "warning", "console")
    began = time.monotonic()
    with explained():
        settings = from_environment(StackSettings)
        used = _keys(key_file, make=new)
        manifest = asyncio.run(back_up(settings, settings.data_dir.absolute(), file, used))
    took, size = time.monotonic() - began, file.stat().st_size / _MB
    say(f"{file}  installation {manifest.installation}, {size:.2f} MB, in {took:.1f} s")
    if new:
        say("Keep the key apart from the backups, and not only on this machine: without it none can be restored.")


def restore(
    file: File,
    key_file: KeyFile = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put what is in the data folder aside, beside it.")
    ] = False,
) -> None:
    """Restore a backup into an empty data folder, or into empty servers. It starts nothing."""
    configure_logs("restore", "warning", "console")
    with explained():
        settings, more = from_environment(StackSettings), from_environment(BackupSettings)
        data_dir = settings.data_dir.absolute()
        manifest, amounts, aside = asyncio.run(
            restore_backup(settings, data_dir, file, _keys(key_file), replicas=more.stream_replicas, replace=replace)
        )
    made_at = datetime.fromisoformat(manifest.made_at).astimezone()
    say(f"restored   installation {manifest.installation} as of {made_at:%Y-%m-%d %H:%M:%S}: {_in_words(amounts)}")
    say(f"data       {data_dir}")
    if aside:
        say(f"before     {aside}, which you may delete")
    say("next       coldstart up, then coldstart reconcile: it lists machines that were launched after the backup.")
    say("Do not start the former installation again: both would act on the same machines.")


def _keys(file: Path | None, *, make: bool = False) -> BackupKeys:
    more = from_environment(BackupSettings)
    file = file or more.backup_key_file
    if make and file is not None:
        new_key(file)
    return keys(file, more.backup_key.get_secret_value() if more.backup_key else None)


def _in_words(amounts: Amounts) -> str:
    rows = [f"{table.replace('_', ' ')} {number}" for table, number in amounts.rows.items() if number]
    return ", ".join((f"events {amounts.events}", *rows))
