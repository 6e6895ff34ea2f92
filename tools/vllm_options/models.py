"""What each version of vLLM serves: read from its source, since importing its registry needs its libraries."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.vllm_options.table import toggles

_TASKS: Final[Mapping[str, str]] = {
    "_TEXT_GENERATION_MODELS": "generate",
    "_MULTIMODAL_MODELS": "generate",
    "_TRANSFORMERS_SUPPORTED_MODELS": "generate",
    "_EMBEDDING_MODELS": "embed",
    "_CROSS_ENCODER_MODELS": "classify",
    "_LATE_INTERACTION_MODELS": "classify",
    "_REWARD_MODELS": "classify",
    "_SEQUENCE_CLASSIFICATION_MODELS": "classify",
    "_TOKEN_CLASSIFICATION_MODELS": "classify",
}
"""vLLM's own tables of architectures; draft models for speculative decoding cannot be served alone."""
_TRANSCRIBES_ONLY: Final = "supports_transcription_only"
_GENERATING: Final = ("_FOR_CAUSAL_LM_", "_FOR_IMAGE_TEXT_TO_TEXT_", "_FOR_MULTIMODAL_LM_")


@dataclass(frozen=True)
class Serves:
    """Of one version: its architectures by task, its quantizations, and the types of models whose config it brings."""

    architectures: Mapping[str, frozenset[str]]
    quantizations: frozenset[str]
    model_types: frozenset[str]


def served_by(package: Path) -> Serves:
    """`package`: the folder of the version's Python files."""
    models = package / "model_executor" / "models"
    tables = _tables(_read(models / "registry.py"))
    silent = {path.stem for path in models.glob("*.py") if _TRANSCRIBES_ONLY in _set_in(_read(path))}
    by_task: dict[str, set[str]] = {"generate": set(), "embed": set(), "classify": set(), "transcribe": set()}
    for table, task in _TASKS.items():
        for architecture, (module, _) in tables.get(table, {}).items():
            by_task["transcribe" if module in silent else task].add(architecture)
    methods = _read(package / "model_executor" / "layers" / "quantization" / "__init__.py")
    return Serves(
        {task: frozenset(names) for task, names in by_task.items()},
        frozenset(_quantizations(methods)),
        frozenset(_keywords(_read(package / "transformers_utils" / "config.py"), "_CONFIG_REGISTRY")),
    )


def known_to_transformers(package: Path) -> dict[str, frozenset[str]]:
    """The architectures that generate text, and the types of models, that the Transformers library has itself."""
    auto = package / "models" / "auto"
    modeling = _read(auto / "modeling_auto.py")
    architectures: set[str] = set()
    for name, value in _assigned(modeling):
        if any(part in name for part in _GENERATING) and name.endswith("_MAPPING_NAMES"):
            architectures.update(name for _, name in _pairs(value))
    files = (auto / "auto_mappings.py", auto / "configuration_auto.py")  # Transformers 4 has only the second one
    types = {name for path in files if path.exists() for name in _types(_read(path))}
    return {"architectures": frozenset(architectures), "model_types": frozenset(types)}


def table(served: Mapping[str, Serves], transformers: Mapping[str, Mapping[str, frozenset[str]]]) -> dict[str, Any]:
    """Both by version of vLLM, the earliest first. A list says where a name appeared, disappeared, and so on."""
    tasks = ("generate", "embed", "classify", "transcribe")
    return {
        "versions": list(served),
        "architectures": {task: _changes({v: one.architectures[task] for v, one in served.items()}) for task in tasks},
        "quantizations": _changes({version: one.quantizations for version, one in served.items()}),
        "model_types": _changes({version: one.model_types for version, one in served.items()}),
        "transformers": {
            part: _changes({version: known[part] for version, known in transformers.items()})
            for part in ("architectures", "model_types")
        },
    }


def _changes(held: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    names = sorted(set().union(*held.values()))
    return {name: list(toggles({version: name in there for version, there in held.items()})) for name in names}


def _read(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _assigned(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Each name that the module itself gives a value, with that value."""
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _tables(module: ast.Module) -> dict[str, dict[str, Any]]:
    """The tables of models; a later one may be made from an earlier one."""
    tables: dict[str, dict[str, Any]] = {}
    for name, value in _assigned(module):
        if name in _TASKS:
            code = compile(ast.Expression(value), name, "eval")
            tables[name] = eval(code, {"__builtins__": {}}, dict(tables))  # noqa: S307 - vLLM's own literal
    return tables


def _set_in(module: ast.Module) -> set[str]:
    """The names that any class in it sets to True."""
    classes = (node for node in ast.walk(module) if isinstance(node, ast.ClassDef))
    assigned = (pair for one in classes for pair in _assigned(ast.Module(one.body, [])))
    return {name for name, value in assigned if isinstance(value, ast.Constant) and value.value is True}


def _quantizations(module: ast.Module) -> set[str]:
    """Those that need no further option: vLLM refuses deprecated ones without it."""
    found: dict[str, set[str]] = {}
    for name, value in _assigned(module):
        if name in {"QuantizationMethods", "DEPRECATED_QUANTIZATION_METHODS"}:
            found[name] = {text for text in _constants(value) if text.islower()}
    return found["QuantizationMethods"] - found.get("DEPRECATED_QUANTIZATION_METHODS", set())


def _keywords(module: ast.Module, name: str) -> Iterable[str]:
    for assigned, value in _assigned(module):
        if assigned == name and isinstance(value, ast.Call):
            yield from (keyword.arg for keyword in value.keywords if keyword.arg)


def _types(module: ast.Module) -> Iterator[str]:
    return (name for name, config in _pairs(module) if config.endswith("Config"))


def _pairs(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Each text that is written beside another one, in a dict or as a pair; of several, the other one is each."""
    for node in ast.walk(tree):
        match node:
            case ast.Tuple(elts=[ast.Constant(value=str(key)), held]):
                yield from ((key, text) for text in _constants(held))
            case ast.Dict(keys=keys, values=values):
                for named, held in zip(keys, values, strict=True):
                    if isinstance(named, ast.Constant) and isinstance(named.value, str):
                        yield from ((named.value, text) for text in _constants(held))


def _constants(value: ast.expr) -> Iterator[str]:
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
