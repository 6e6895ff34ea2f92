"""The command line: `coldstart …`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from coldstart.commands.table import LazyCommands
from coldstart.places import DATA_DIR, apply_settings_file
from shared.variables import WRONG_SETTINGS, SettingsInvalid, unknown

app = typer.Typer(
    cls=LazyCommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Launch GPU inference instances: give a model id and a GPU type, get an OpenAI-compatible endpoint.",
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415  it loads slowly

        typer.echo(f"coldstart {version('coldstart')}")
        raise typer.Exit


@app.callback()
def _every_command(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            metavar="FOLDER",
            help="The installation's data folder. Default: COLDSTART_DATA_DIR, else as docs/running.md says.",
        ),
    ] = None,
) -> None:
    """Runs before every command. What it sets is for the programs, too, that the command starts."""
    if data_dir is not None:
        os.environ[DATA_DIR] = str(data_dir.absolute())
    try:
        apply_settings_file()
    except SettingsInvalid as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(WRONG_SETTINGS) from None
    for sentence in unknown():
        from coldstart.commands.context import warn  # noqa: PLC0415  hardly any start needs it

        warn(sentence)


if __name__ == "__main__":
    app()
