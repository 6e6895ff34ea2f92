"""Which models each version of vLLM serves, by the table that its own source made (`make vllm-options`)."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict

from shared.lifecycle.wish import Task
from shared.vllm_version import VllmVersion

MODELS_FILE: Final = Path(__file__).with_name("vllm_models.json")
Serves: TypeAlias = Literal["generate", "embed", "classify", "transcribe"]
"""What vLLM does with an architecture by itself; only the tasks among them are served here."""
_GENERATES: Final = ("ForCausalLM", "ForConditionalGeneration", "ChatModel", "LMHeadModel")
_BASE: Final = "Model"
_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {"auto-round": ("inc",), "compressed_tensors": ("compressed-tensors",)}
"""Other names of quantizations in configurations; vLLM translates them (`ModelConfig._verify_quantization`)."""

_Version = Annotated[VllmVersion, BeforeValidator(VllmVersion.parsed)]
_Changes: TypeAlias = dict[str, tuple[_Version, ...]]
"""By name, the versions in which it appeared, disappeared, appeared again."""


class _Transformers(BaseModel):
    """What the Transformers library has itself: the latest one that each version of vLLM takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    architectures: _Changes
    model_types: _Changes


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    versions: tuple[_Version, ...]
    architectures: dict[Serves, _Changes]
    quantizations: _Changes
    model_types: _Changes
    transformers: _Transformers


def versions() -> tuple[VllmVersion, ...]:
    """The versions of the table, the earliest first."""
    return _table().versions


def serves(architecture: str, task: Task, version: VllmVersion) -> bool:
    """Whether this version does it itself. It makes embeddings with any model that generates text, too.

    A version between two of the table counts as the earlier one.
    """
    tables = _table().architectures
    if task == "generate":
        return _there(tables["generate"], architecture, version)
    if any(_there(tables[kind], architecture, version) for kind in ("embed", "generate")):
        return True
    stem = architecture.removesuffix(_BASE)
    return stem != architecture and any(_there(tables["generate"], stem + end, version) for end in _GENERATES)


def history(architecture: str, task: Task, version: VllmVersion) -> str:
    """Which version added or removed it, with what to do, as the end of a sentence; empty if no version has it."""
    there = _table().architectures[task].get(architecture)
    return "" if there is None else _history(there, version)


def serves_quantization(method: str, version: VllmVersion) -> bool:
    return any(_there(_table().quantizations, name, version) for name in (method, *_ALIASES.get(method, ())))


def quantization_history(method: str, version: VllmVersion) -> str:
    """As `history`."""
    there = _table().quantizations.get(method)
    return "" if there is None else _history(there, version)


def knows_type(model_type: str, version: VllmVersion) -> bool:
    """Whether this version reads the configuration of such models without code from their repository."""
    table = _table()
    return any(_there(held, model_type, version) for held in (table.model_types, table.transformers.model_types))


def may_run_by_transformers(architecture: str, version: VllmVersion) -> bool:
    """Whether vLLM may run it by the Transformers library, which not every architecture allows."""
    return _there(_table().transformers.architectures, architecture, version)


def tasks_of(architectures: Iterable[str]) -> frozenset[Serves]:
    """What any version does with any of them; empty if no version knows them."""
    names = tuple(architectures)
    known: frozenset[Serves] = frozenset(
        task for task, changes in _table().architectures.items() if any(name in changes for name in names)
    )
    if not known and any(name in _table().transformers.architectures for name in names):
        return frozenset({"generate"})
    return known


def _there(changes: Mapping[str, tuple[VllmVersion, ...]], name: str, version: VllmVersion) -> bool:
    return bisect_right(changes.get(name, ()), version) % 2 == 1


def _history(there: tuple[VllmVersion, ...], version: VllmVersion) -> str:
    changes = bisect_right(there, version)
    if changes:
        return f": {there[changes - 1]} removed it. Choose an image of an earlier version"
    return f": {there[0]} added it. Choose an image of a later version"


@cache
def _table() -> _Table:
    return _Table.model_validate_json(MODELS_FILE.read_bytes())
