"""Which options each version of vLLM takes, by the table that its own parsers made (`make vllm-options`)."""

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from shared.vllm_version import VllmVersion

TABLE_FILE: Final = Path(__file__).with_name("vllm_options.json")
_FORMS: Final = {
    "whole": (r"-?[0-9]+", "a whole number"),
    "count": (r"-?[0-9]+|[0-9]+[kKmMgGtT]|[0-9]+\.[0-9]+[kmgt]", "a whole number, such as 8192 or 8k"),
    "number": (r"-?[0-9]+(\.[0-9]*)?|\.[0-9]+", "a number"),
}
"""The pattern of what an option takes, and its words. A switch takes nothing, and any value is a text."""

Value = TypeVar("Value")
_Version = Annotated[VllmVersion, BeforeValidator(VllmVersion.parsed)]


class _Option(BaseModel):
    """Lists of versions say where something appeared, disappeared, appeared again. Other values hold from a version on.

    An option without `choices` in a version takes any value of the form that it `takes`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    there: tuple[_Version, ...]
    takes: dict[_Version, Literal["nothing", "whole", "count", "number", "text"]]
    choices: dict[str, tuple[_Version, ...]] = {}
    deprecated: tuple[_Version, ...] = ()
    default: dict[_Version, float] = {}


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    versions: tuple[_Version, ...]
    options: dict[str, _Option]


@dataclass(frozen=True)
class VllmOptions:
    """The options of the version `wanted`, as the supported version `known` has them."""

    wanted: VllmVersion
    known: VllmVersion

    def problem(self, name: str, value: str) -> str | None:
        """Why this version refuses the option with this value; None if it takes it. A switch's value is empty."""
        option = _table().options.get(name)
        if option is None or not self._holds(option.there):
            return f"vLLM {self.wanted} has no {name}{self._history(option)}."
        choices = [choice for choice, there in option.choices.items() if self._holds(there)]
        if choices and value not in choices:
            return f"Invalid value {value!r} for {name}: vLLM {self.wanted} takes {', '.join(choices)}."
        pattern, words = _FORMS.get(self._now(option.takes) or "", (r"(?s).*", ""))
        if not re.fullmatch(pattern, value):
            return f"Invalid value {value!r} for {name}: vLLM {self.wanted} takes {words}."
        return None

    def is_deprecated(self, name: str) -> bool:
        option = _table().options.get(name)
        return option is not None and self._holds(option.deprecated)

    def default(self, name: str) -> float | None:
        return self._now(_table().options[name].default)

    def _holds(self, changes: tuple[VllmVersion, ...]) -> bool:
        return bisect_right(changes, self.known) % 2 == 1

    def _now(self, changes: Mapping[VllmVersion, Value]) -> Value | None:
        since = max((version for version in changes if version <= self.known), default=None)
        return None if since is None else changes[since]

    def _history(self, option: _Option | None) -> str:
        if option is None or not option.there:
            return ""
        changes = bisect_right(option.there, self.known)
        if changes:
            gone = option.there[changes - 1]
            return f": {gone} removed it. Leave it out, or choose an image of an earlier version"
        return f": {option.there[0]} added it. Leave it out, or choose an image of a later version"


def supported() -> tuple[VllmVersion, ...]:
    """The versions of the table, the earliest first."""
    return _table().versions


def is_supported(version: VllmVersion) -> bool:
    """Whether the table says what it takes: from its first version on, up to the last one's minor version."""
    return supported()[0] <= version and version[:2] <= supported()[-1][:2]


def options_of(version: VllmVersion) -> VllmOptions:
    """Those of this version, or else of the last supported one before it, or else of the first one."""
    versions = supported()
    return VllmOptions(version, versions[max(0, bisect_right(versions, version) - 1)])


@cache
def _table() -> _Table:
    return _Table.model_validate_json(TABLE_FILE.read_bytes())
