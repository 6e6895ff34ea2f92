"""`coldstart rebuild`, `verify` and `compact`: run by the service that owns the tables in PostgreSQL."""

import os
import subprocess
import sys
from typing import Annotated

import typer

from coldstart.client_settings import client_settings
from coldstart.commands.asking import Yes, ask
from coldstart.commands.context import explained
from coldstart.stack.files import archive_setting, find_reach


def rebuild(yes: Yes = False) -> None:
    """Rebuild the read model in PostgreSQL from the stream. Events may keep coming."""
    with explained():
        servers()
        ask("Rebuild the read model?", "Rows that cannot be read from the stream any more are deleted.", yes=yes)
        raise typer.Exit(progress("rebuild"))


def verify() -> None:
    """Compare every snapshot in the stream and every row in PostgreSQL with the facts; exit status 1 if any differ."""
    with explained():
        raise typer.Exit(progress("verify"))


def compact(
    yes: Yes = False,
    days: Annotated[
        float | None,
        typer.Option("--older-than", help="Days since its last event. Default: COLDSTART_RETENTION_DAYS, 365.", min=0),
    ] = None,
) -> None:
    """Move the histories of instances that ended long ago out of the stream, into the archive.

    Timelines stay as they are, and the last event of each stays in the stream.
    """
    with explained():
        servers()
        ask("Compact the stream?", "The events are moved into the archive, and not back.", yes=yes)
        settings = {} if days is None else {"COLDSTART_RETENTION_DAYS": str(days)}
        raise typer.Exit(progress("compact", **settings))


def accept_loss(yes: Yes = False) -> None:
    """Accept that a lost database took keys, organisations, offerings and usage with it, and end the warnings."""
    with explained():
        servers()
        ask("Accept the loss?", "What a backup holds of it can then only be restored into another database.", yes=yes)
        raise typer.Exit(progress("accept-loss"))


def progress(*words: str, **settings: str) -> int:
    """Run it, show its output and return its exit status. Raises NoStack, SettingsInvalid."""
    module = [sys.executable, "-m", "services.progress", *words]
    return subprocess.run(module, env=servers() | settings, check=False).returncode  # noqa: S603  our own words only


def servers() -> dict[str, str]:
    """The environment, with the NATS and PostgreSQL URLs: as set, or of the stack in the data folder."""
    data_dir = client_settings().data_dir
    environment = {"COLDSTART_LOG_FORMAT": "console", **os.environ, **archive_setting(data_dir)}
    if not environment.get("COLDSTART_DATABASE_URL") or not environment.get("COLDSTART_NATS_URL"):
        reach = find_reach(data_dir)
        environment |= {"COLDSTART_DATABASE_URL": reach.database_url, "COLDSTART_NATS_URL": reach.nats_url}
    return environment
