"""The names that a shell completes: asked of the API, for at most a second, and never a word about what went wrong."""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import typer

from coldstart.commands.context import reached
from coldstart.places import DATA_DIR, apply_settings_file
from coldstart.refusals import Refused
from shared.variables import SettingsInvalid

_PATIENCE_S: Final = 1.0
_MOST: Final = 100


def instance_names(context: typer.Context, incomplete: str) -> list[str]:
    return _beginning(incomplete, _named(context, "/instances", "name"))


def deployment_names(context: typer.Context, incomplete: str) -> list[str]:
    return _beginning(incomplete, _named(context, "/deployments", "name"))


def model_names(context: typer.Context, incomplete: str) -> list[str]:
    return _beginning(incomplete, _named(context, "/models", "id"))


def _beginning(incomplete: str, names: Iterator[str]) -> list[str]:
    with suppress(Refused, SettingsInvalid):
        return sorted({name for name in names if name.startswith(incomplete)})
    return []


def _named(context: typer.Context, path: str, field: str) -> Iterator[str]:
    """Raises Refused, SettingsInvalid."""
    if named := context.find_root().params.get("data_dir"):
        os.environ[DATA_DIR] = str(named.absolute())
    apply_settings_file()
    with reached(timeout_s=_PATIENCE_S) as client:
        yield from (item[field] for item in client.get(path, limit=_MOST)["items"])
