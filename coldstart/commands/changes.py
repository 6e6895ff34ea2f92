"""What an `update` was asked to change."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import typer

from coldstart.commands.context import given


def changes(unlimited: Sequence[StrEnum] | None = None, **fields: Any) -> dict[str, Any]:
    """A request's body: what was typed, and null for each limit that is `unlimited`, named as its option is.

    Raises typer.BadParameter when that is nothing, or the same limit is set and taken away.
    """
    set_, taken_away = given(**fields), [limit.replace("-", "_") for limit in unlimited or ()]
    for limit in taken_away:
        if limit in set_:
            option = limit.replace("_", "-")
            raise typer.BadParameter(f"set {option}, or take it away, not both.", param_hint="--unlimited")
    if not set_ and not taken_away:
        raise typer.BadParameter("nothing to change is named; see --help.")
    return set_ | dict.fromkeys(taken_away)
