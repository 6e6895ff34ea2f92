"""Settings from the environment. Each invalid variable is reported in one sentence, never with a secret's value."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, TypeVar, get_args, get_origin
from uuid import UUID

from pydantic import AliasChoices, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsError

from shared.variables import WRONG_SETTINGS, SettingsInvalid

_LONGEST_SHOWN: Final = 60
_FOLLOWS: Final = "default_factory_not_called"
"""Pydantic's name for a field whose default needs another field that is invalid."""


Settings = TypeVar("Settings", bound=BaseSettings)


def from_environment(kind: type[Settings]) -> Settings:
    """Raises SettingsInvalid, with a line for each variable."""
    try:
        return kind()
    except ValidationError as error:
        first = [item for item in error.errors() if item["type"] != _FOLLOWS]
        raise SettingsInvalid("\n".join(dict.fromkeys(_sentence(kind, item) for item in first))) from None
    except SettingsError as error:  # a list or an object that is not JSON
        name = next((name for name in kind.model_fields if f'"{name}"' in str(error)), None)
        what = variable(kind, name) if name else "a setting"
        raise SettingsInvalid(f'{what} takes JSON, such as ["a", "b"] or {{"a": "b"}}.') from None


def settings_or_exit(kind: type[Settings]) -> Settings:
    """For a service's `main`: errors go to standard error, and the exit status is 2."""
    try:
        return from_environment(kind)
    except SettingsInvalid as error:
        wrong(str(error))


def wrong(sentence: str) -> NoReturn:
    """End the process, which cannot start with these settings."""
    sys.stderr.write(f"{sentence}\n")
    sys.exit(WRONG_SETTINGS)


def variable(kind: type[BaseSettings], field: str) -> str:
    """The first variable from which a field is read."""
    return variables(kind, field)[0]


def variables(kind: type[BaseSettings], field: str) -> tuple[str, ...]:
    """All variables from which a field is read."""
    match kind.model_fields[field].validation_alias:
        case str(alias):
            return (alias,)
        case AliasChoices(choices=choices):
            return tuple(str(choice) for choice in choices)
        case _:
            return (f"{kind.model_config.get('env_prefix', '')}{field}".upper(),)


def _sentence(kind: type[BaseSettings], error: ErrorDetails) -> str:
    field = _field(kind, error["loc"])
    if field is None:  # about several settings together: their names are in the text
        return f"{_as_variables(kind, _own_words(error))}."
    name, info = variable(kind, field), kind.model_fields[field]
    right = takes(info)
    match error["type"]:
        case "missing":
            return f"{name} is not set; it takes {right}."
        case "value_error" if not _example(info):
            return f"{name}: {_as_variables(kind, _own_words(error))}."
        case _ if _hidden(kind, info, error["input"]):
            return f"{name} takes {right}."
        case _:
            return f"{name} takes {right}, not {_shown(error['input'])}."


def _field(kind: type[BaseSettings], where: tuple[int | str, ...]) -> str | None:
    named = str(where[0]).upper() if where else ""
    for field in kind.model_fields:
        if named and named in (field.upper(), *(name.upper() for name in variables(kind, field))):
            return field
    return None


def takes(info: FieldInfo) -> str:
    """What a valid value is, in words; from the field's `examples` if its type does not say it."""
    if right := _example(info):
        return right
    if get_origin(info.annotation) is Literal:
        return f"one of {', '.join(map(str, get_args(info.annotation)))}"
    bounds = {name: getattr(part, name) for part in info.metadata for name in _BOUNDS if hasattr(part, name)}
    if "min_length" in bounds:
        return f"at least {bounds['min_length']} characters"
    return next((called + _within(bounds) for kind, called in _CALLED if kind in _kinds(info)), "another value")


def _example(info: FieldInfo) -> str:
    """An example of the field, or of its type without None; empty if there is none."""
    inner = [part for kind in get_args(info.annotation) for part in getattr(kind, "__metadata__", ())]
    fields = [info, *(part for part in inner if isinstance(part, FieldInfo))]
    return next((str(field.examples[0]) for field in fields if field.examples), "")


def _kinds(info: FieldInfo) -> set[Any]:
    """The types in its annotation, without their metadata."""
    parts = (info.annotation, get_origin(info.annotation), *get_args(info.annotation))
    return {getattr(part, "__origin__", part) if hasattr(part, "__metadata__") else part for part in parts}


_BOUNDS: Final = ("ge", "gt", "le", "lt", "min_length")
_CALLED: Final[tuple[tuple[type, str], ...]] = (
    (tuple, "a JSON list"),
    (Mapping, "a JSON object"),
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (UUID, "a UUID"),
    (Path, "a path"),
    (str, "a text"),
    (SecretStr, "a text"),
)


def _within(bounds: Mapping[str, Any]) -> str:
    low, high = bounds.get("ge"), bounds.get("le")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    for name, word in (("gt", "above"), ("ge", "of at least"), ("lt", "below"), ("le", "of at most")):
        if name in bounds:
            return f" {word} {bounds[name]:g}"
    return ""


def _hidden(kind: type[BaseSettings], info: FieldInfo, value: Any) -> bool:
    """Whether it is a secret or may hold one: a URL with a password, or a key pasted into the wrong variable."""
    secret = SecretStr in _kinds(info)
    return secret or bool(kind.model_config.get("hide_input_in_errors")) or "@" in str(value)


def _own_words(error: ErrorDetails) -> str:
    return str(error.get("ctx", {}).get("error") or error["msg"]).rstrip(".")


def _as_variables(kind: type[BaseSettings], text: str) -> str:
    """The text, with field names replaced by their variables."""
    for field in sorted(kind.model_fields, key=len, reverse=True):
        text = re.sub(rf"\b{field}\b", variable(kind, field), text) if "_" in field else text
    return text


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
