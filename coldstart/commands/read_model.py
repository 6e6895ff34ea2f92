"""`coldstart rebuild` and `verify`: run by the service that owns the tables in PostgreSQL."""

import os
import subprocess
import sys

import typer

from coldstart.commands.asking import Yes, ask
from coldstart.commands.context import explained
from coldstart.settings import ClientSettings, from_environment
from coldstart.stack.files import find_reach


def rebuild(yes: Yes = False) -> None:
    """Rebuild the read model in PostgreSQL from the stream. Events may keep coming."""
    with explained():
        servers()
        ask("Rebuild the read model?", "Rows that cannot be read from the stream any more are deleted.", yes=yes)
        raise typer.Exit(progress("rebuild"))


def verify() -> None:
    """Compare every snapshot in the stream and every row in PostgreSQL with the facts; exit status 1 if any differs."""
    with explained():
        raise typer.Exit(progress("verify"))


def progress(*words: str) -> int:
    """Run it, show its output and return its exit status. Raises NoStack, SettingsInvalid."""
    module = [sys.executable, "-m", "services.progress", *words]
    return subprocess.run(module, env=servers(), check=False).returncode  # noqa: S603  our own words only


def servers() -> dict[str, str]:
    """The environment, with the NATS and PostgreSQL URLs: as set, or of the stack in the data folder."""
    environment = {"COLDSTART_LOG_FORMAT": "console", **os.environ}
    if not environment.get("COLDSTART_DATABASE_URL") or not environment.get("COLDSTART_NATS_URL"):
        reach = find_reach(from_environment(ClientSettings).data_dir)
        environment |= {"COLDSTART_DATABASE_URL": reach.database_url, "COLDSTART_NATS_URL": reach.nats_url}
    return environment
