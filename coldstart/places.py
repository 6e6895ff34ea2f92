"""Where an installation's files are, for the command line: its settings file fills the environment."""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Final

from coldstart_client import places
from coldstart_client.errors import ConfigurationError
from coldstart_client.places import DATA_DIR, PROJECT_FOLDER
from shared.variables import SettingsInvalid

__all__ = ["DATA_DIR", "PROJECT_FOLDER", "apply_settings_file", "data_dir", "settings_file"]

_CHECKOUT: Final = Path(__file__).parents[1]


def data_dir(environment: Mapping[str, str] = os.environ, *, checkout: Path = _CHECKOUT) -> Path:
    return places.data_dir(environment, checkout=checkout)


def settings_file(environment: Mapping[str, str] = os.environ) -> Path:
    return places.settings_file(environment)


def apply_settings_file(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets each variable in the file that is not set yet. Raises SettingsInvalid, without a value, for a wrong line."""
    try:
        variables = places.read_settings_file(environment)
    except ConfigurationError as wrong:
        raise SettingsInvalid(str(wrong)) from wrong
    for name, value in variables.items():
        environment.setdefault(name, value)
