"""The body of an `update` command."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import typer

from coldstart.commands.context import given


def changes(unlimited: Sequence[StrEnum] | None = None, **fields: Any) -> dict[str, Any]:
    """A request's body: the given options, and null for each limit that is `unlimited`, named like its option.

    Raises typer.BadParameter if nothing is changed, or the same limit is both set and removed.
    """
    set_, taken_away = given(**fields), [limit.replace("-", "_") for limit in unlimited or ()]
    for limit in taken_away:
        if limit in set_:
            option = limit.replace("_", "-")
            raise typer.BadParameter(f"set {option} or remove it, not both.", param_hint="--unlimited")
    if not set_ and not taken_away:
        raise typer.BadParameter("name something to change; see --help.")
    return set_ | dict.fromkeys(taken_away)
