"""Commands that cannot be undone need consent: an answer on a terminal, or `--yes`."""

import sys
from typing import Annotated, Final

import typer

from coldstart.commands.context import complain, err
from shared.plain_text import plain_line

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
REFUSED: Final = 2


def ask(question: str, words: str = "", *, yes: bool, word: str | None = None) -> None:
    """Return if the answer is yes, or `word` if one has to be typed. `words` say what will happen.

    Without a terminal to ask on, and without `yes`: exit status 2, and nothing is done.
    """
    if yes:
        return
    if not somebody_is_there():
        complain(f"{question} {words}".rstrip() + "\nThere is no terminal to ask on: add --yes to do it.")
        raise typer.Exit(REFUSED)
    if words:
        err.print(words, soft_wrap=True)
    question = plain_line(question)  # what asks prints by itself
    if word is None:
        typer.confirm(f"{question} [y/N]", show_default=False, prompt_suffix=" ", abort=True, err=True)
    elif typer.prompt(f"{question} Type {word} to do it", default="", show_default=False, err=True) != word:
        raise typer.Abort


def somebody_is_there() -> bool:
    return sys.stdin.isatty()
