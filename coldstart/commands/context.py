"""What every command needs: where the api is, printing for people and for pipes, reporting errors."""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from coldstart.api_client import Api, ApiProblem
from coldstart.client_settings import client_settings
from coldstart.refusals import Refused
from coldstart.stack.files import NoStack, find_reach
from coldstart.terminal import Terminal
from shared.plain_text import plain_line
from shared.variables import WRONG_SETTINGS, SettingsInvalid

out: Final = Terminal()
err: Final = Terminal(stderr=True)
_NO_EDGE: Final = 10_000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@contextmanager
def api() -> Generator[Api]:
    """The api of COLDSTART_API_URL and COLDSTART_API_KEY, else of the stack in the data folder."""
    with explained(), reached() as client:
        yield client


def reached(**more: Any) -> Api:
    """The same, with nothing explained; `more` is the client's. Raises Refused, SettingsInvalid."""
    settings = client_settings()
    key = settings.api_key
    if settings.api_url is None:
        reach = find_reach(settings.data_dir)
        url, key = reach.api_url, key or reach.admin_key
    else:
        url = settings.api_url
        key = key or _key_of_the_stack_at(url, settings.data_dir)
    return Api(url, key, **more)


def _key_of_the_stack_at(url: str, data_dir: Path) -> str:
    """The stack's own key is sent to that stack only. Raises ApiProblem."""
    with suppress(NoStack):
        reach = find_reach(data_dir)
        if url.rstrip("/") == reach.api_url:
            return reach.admin_key
    raise ApiProblem("COLDSTART_API_URL is set without COLDSTART_API_KEY. Set both, or neither.")


@contextmanager
def explained() -> Generator[None]:
    """A refusal is a line on standard error and exit status 1 (2 for wrong settings), never a traceback."""
    try:
        yield
    except SettingsInvalid as wrong:
        complain(str(wrong))
        raise typer.Exit(WRONG_SETTINGS) from None
    except Refused as refusal:
        complain(str(refusal))
        raise typer.Exit(1) from None


def complain(text: str) -> None:
    err.print(text, style="red", soft_wrap=True)


def warn(text: str) -> None:
    """On standard error, so that a script's input stays clean."""
    err.print(f"warning: {text}", style="yellow", soft_wrap=True)


def note(text: str) -> None:
    """Like `warn`, for information."""
    err.print(text, style="cyan", highlight=False, markup=False, soft_wrap=True)


def say(text: str) -> None:
    """Print one line, whatever it contains and however long it is."""
    out.print(plain_line(text), soft_wrap=True)


def print_table(table: Table) -> None:
    """Fitted to a terminal; in a pipe, whole lines of any length."""
    (out if out.is_terminal else Terminal(width=_NO_EDGE)).print(table, highlight=False)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value))


def given(**fields: Any) -> dict[str, Any]:
    """A request's body: the given options, and nothing else."""
    return {field: value for field, value in fields.items() if value not in (None, [])}


def non_empty(value: str | None) -> str | None:
    """A typer callback that refuses an empty value: a script forgot to set a variable."""
    if value is not None and not value.strip():
        raise typer.BadParameter("the value is empty.")
    return value


def name_in_address(value: str) -> str:
    """A typer callback: a part of an address must not turn it into another one, as `..` would."""
    if _NAME.fullmatch(value) is None:
        raise typer.BadParameter(f"invalid name {value!r}: use letters, digits, and . _ - between them.")
    return value


def each_non_empty(values: list[str] | None) -> list[str] | None:
    """Like `non_empty`, for several values."""
    return values and [value for value in values if non_empty(value)]
