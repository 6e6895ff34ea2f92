"""`coldstart rebuild` and `verify`: the tables in PostgreSQL, by the service that owns them."""

import os
import subprocess
import sys

import typer

from coldstart.commands.asking import Yes, ask
from coldstart.commands.context import explained
from coldstart.settings import ClientSettings, from_environment
from coldstart.stack.files import find_reach


def rebuild(yes: Yes = False) -> None:
    """Make the read model in PostgreSQL again from the stream, while events keep coming."""
    with explained():
        servers()
        ask("Rebuild the read model?", "Rows of what can no longer be read from the stream are gone then.", yes=yes)
        raise typer.Exit(progress("rebuild"))


def verify() -> None:
    """Hold every snapshot in the stream and every row in PostgreSQL against the facts; exit status 1 if any differs."""
    with explained():
        raise typer.Exit(progress("verify"))


def progress(*words: str) -> int:
    """Its exit status; what it prints is shown. Raises NoStack, SettingsInvalid."""
    module = [sys.executable, "-m", "services.progress", *words]
    return subprocess.run(module, env=servers(), check=False).returncode  # noqa: S603  our own words only


def servers() -> dict[str, str]:
    """The environment with the NATS and the PostgreSQL to use: as set, or of the stack in the data folder."""
    environment = {"COLDSTART_LOG_FORMAT": "console", **os.environ}
    if not environment.get("COLDSTART_DATABASE_URL") or not environment.get("COLDSTART_NATS_URL"):
        reach = find_reach(from_environment(ClientSettings).data_dir)
        environment |= {"COLDSTART_DATABASE_URL": reach.database_url, "COLDSTART_NATS_URL": reach.nats_url}
    return environment
