"""`coldstart purge`: delete an installation's records, if nothing of it is left elsewhere."""

import asyncio
from pathlib import Path
from typing import Final, NoReturn

import typer

from coldstart.commands.asking import Yes, ask
from coldstart.commands.context import complain, explained, say
from coldstart.embedded.folder import ServerFolder
from coldstart.settings import StackSettings, from_environment
from coldstart.stack.belongings import NotOurs, belongings
from coldstart.stack.rented import RentedUnknown, rented

_MB: Final = 1e6
_WORD: Final = "purge"


def purge(*, yes: Yes = False) -> None:
    """Delete the data folder: the journal, the tables, the keys, the simulated cloud.

    Refuses while a stack runs there, while an instance holds anything at a provider, and when it cannot find out.
    """
    with explained():
        settings = from_environment(StackSettings)
        data_dir = settings.data_dir.absolute()
        try:
            before = belongings(data_dir)
        except NotOurs as error:
            _refuse(str(error))
        was_started = (data_dir / "stack") in before.ours
        with ServerFolder(data_dir, "stack").locked():
            if was_started:
                _refuse_if_rented(settings, data_dir)
            found = belongings(data_dir)
            words = "\n".join(
                [
                    f"In {data_dir} ({found.size / _MB:.0f} MB):",
                    *(f"  {path.relative_to(data_dir)}" for path in found.ours),
                ]
            )
            undone = "This deletes the journal, all keys, and the secret by which machines know this installation."
            ask(f"Delete all of this in {data_dir}?", f"{words}\n{undone}", yes=yes, word=_WORD)
            found.delete()
    for path in found.left:
        say(f"left: {path}, which Coldstart did not make")
    say(f"{data_dir}  purged")


def _refuse_if_rented(settings: StackSettings, data_dir: Path) -> None:
    try:
        lines = asyncio.run(rented(settings, data_dir))
    except RentedUnknown as error:
        _refuse(
            f"Cannot find out whether machines are rented: {error}.\n"
            "To check, run coldstart up, then coldstart instances list and coldstart reconcile. Or look for the tag "
            f"`coldstart` at the provider.\nIf nothing is left there, delete {data_dir} yourself."
        )
    if lines:
        _refuse(
            "\n".join(
                [
                    "This installation still holds:",
                    *lines,
                    "End them first: coldstart up, then coldstart instances terminate NAME.",
                    "Delete what belongs to no instance with coldstart reconcile --delete-unknown.",
                ]
            )
        )


def _refuse(why: str) -> NoReturn:
    complain(why)
    raise typer.Exit(1)
