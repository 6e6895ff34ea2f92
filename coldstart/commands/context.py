"""What every command that talks to an api needs: where it is, and how to say what went wrong."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from coldstart.api_client import Api, ApiProblem
from coldstart.settings import ClientSettings
from coldstart.stack.files import NoStack, find_reach

out: Final = Console()
err: Final = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@contextmanager
def api() -> Generator[Api]:
    """The api of COLDSTART_API_URL and COLDSTART_API_KEY, else of the stack in the data folder."""
    settings = ClientSettings()
    with explained():
        if settings.api_url and settings.api_key:
            url, key = settings.api_url, settings.api_key.get_secret_value()
        else:
            reach = find_reach(settings.data_dir)
            url, key = settings.api_url or reach.api_url, reach.admin_key
            key = settings.api_key.get_secret_value() if settings.api_key else key
        with Api(url, key) as client:
            yield client


@contextmanager
def explained() -> Generator[None]:
    """A refusal is a line on standard error and exit status 1, never a traceback."""
    try:
        yield
    except (ApiProblem, NoStack) as problem:
        err.print(str(problem), style="red", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(1) from None


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value))
