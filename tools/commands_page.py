"""docs/commands.md: every command with its options, as Typer tells them. `python -m tools.commands_page`."""

import sys
from html import unescape
from typing import Final

from typer.cli import get_docs_for_click
from typer.main import get_command

from coldstart.cli import app
from coldstart.commands.table import COMMANDS, loaded

_DRAWN: Final = "<!-- Drawn from the code by `make docs`. -->\n"


def page() -> str:
    root = get_command(app)
    for name in COMMANDS:
        root.add_command(loaded(name), name)  # type: ignore[attr-defined]
    with root.make_context("coldstart", [], resilient_parsing=True) as context:
        drawn = get_docs_for_click(obj=root, ctx=context, name="coldstart", title="Commands")  # type: ignore[arg-type]
    return f"{_DRAWN}{unescape(drawn)}\n"


if __name__ == "__main__":
    sys.stdout.write(page())
