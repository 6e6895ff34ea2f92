"""Where an installation's files are: in the folder that was named, in a project's own, else where XDG says.

The XDG base directory specification: https://specifications.freedesktop.org/basedir-spec/latest/
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from coldstart_client.errors import ConfigurationError

DATA_DIR: Final = "COLDSTART_DATA_DIR"
PROJECT_FOLDER: Final = ".coldstart"
"""The data folder of a checkout, or of any folder that has one."""
_NAME: Final = "coldstart"
_SETTINGS: Final = "settings.env"
_LINE: Final = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_CHECKOUT: Final = Path(__file__).parents[1]


def data_dir(environment: Mapping[str, str], *, checkout: Path = _CHECKOUT) -> Path:
    """`COLDSTART_DATA_DIR`; `.coldstart` in this folder, if there is one; that of the checkout that runs; else XDG's.

    `checkout`: the folder that this program is in, which is a checkout if it has the project's `pyproject.toml`.
    """
    if named := environment.get(DATA_DIR):
        return Path(named)
    here = Path.cwd() / PROJECT_FOLDER
    if here.is_dir():
        return here
    if (checkout / "pyproject.toml").is_file():
        return checkout / PROJECT_FOLDER
    return _base(environment, "XDG_DATA_HOME", ".local/share") / _NAME


def settings_file(environment: Mapping[str, str]) -> Path:
    """The file of settings, which need not exist."""
    return _base(environment, "XDG_CONFIG_HOME", ".config") / _NAME / _SETTINGS


def read_settings_file(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The variables in it. Raises ConfigurationError, without a value, for a wrong line."""
    path = settings_file(environment)
    try:
        lines = path.read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} cannot be read: it is no text.") from error
    variables: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ConfigurationError(f"{path}, line {number}: write NAME=value.")
        name, value = found.groups()
        variables.setdefault(name, _unquoted(value))
    return variables


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _base(environment: Mapping[str, str], variable: str, default: str) -> Path:
    """By the specification, a relative path is ignored."""
    given = Path(environment.get(variable, ""))
    return given if given.is_absolute() else Path.home() / default
