"""Reads files and folders of declarations. Everything that is wrong is found before anything is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from pydantic import ValidationError
from pydantic_core import to_json

from coldstart.declared.kinds import ADAPTER, IN_ORDER, AnyDeclared, DeclaredDeployment
from coldstart.declared.mistakes import sentence
from coldstart.declared.yaml_text import NotYaml, YamlValue, documents
from coldstart.declared.yaml_text import Path as Pointer

STDIN: Final = Path("-")
_SUFFIXES: Final = (".yaml", ".yml")


class DeclarationsInvalid(Exception):
    """A line for each mistake: file, line, field, what is wrong and what to do."""


@dataclass(frozen=True)
class Declaration:
    what: AnyDeclared
    file: Path
    source: YamlValue

    def place(self, pointer: Pointer = ()) -> str:
        """As `chat.yaml:12`."""
        return f"{_name(self.file)}:{self.source.line(pointer)}"

    def mistake(self, pointer: Pointer, detail: str) -> str:
        """As `chat.yaml:12: deployment chat: min_replicas: …`."""
        field = ".".join(map(str, pointer))
        return ": ".join(part for part in (self.place(pointer), self.what.title, field, detail) if part)


def declarations(paths: Sequence[Path], stdin: TextIO) -> list[Declaration]:
    """What the files declare, those of folders and of their folders included. Raises DeclarationsInvalid."""
    found: list[Declaration] = []
    mistakes: list[str] = []
    for path in paths:
        for file in _files(path, mistakes):
            _read(file, stdin, found, mistakes)
    if not found and not mistakes:
        mistakes.append(f"{', '.join(map(_name, paths))}: nothing is declared there. Write documents with a `kind`.")
    mistakes += [mistake for one in found for mistake in _contradictions(one)]
    mistakes += _twice(found)
    if mistakes:
        raise DeclarationsInvalid("\n".join(mistakes))
    return found


def _files(path: Path, mistakes: list[str]) -> Sequence[Path]:
    if not path.is_dir():
        return [path]
    below = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    shown = [file for file in below if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    if not shown:
        mistakes.append(f"{path}: no file there ends in {' or '.join(_SUFFIXES)}.")
    return shown


def _read(file: Path, stdin: TextIO, found: list[Declaration], mistakes: list[str]) -> None:
    try:
        text = stdin.read() if file == STDIN else file.read_text(encoding="utf-8")
        for document in documents(text):
            for item in document.items():
                _take(file, item, found, mistakes)
    except OSError as error:
        mistakes.append(f"{file}: it cannot be read: {error.strerror}.")
    except UnicodeDecodeError as error:
        mistakes.append(f"{_name(file)}: byte {error.start + 1} is not UTF-8. Save the file as UTF-8.")
    except NotYaml as error:
        mistakes.append(f"{_name(file)}:{error.line}: {error}")


def _take(file: Path, item: YamlValue, found: list[Declaration], mistakes: list[str]) -> None:
    try:
        found.append(Declaration(ADAPTER.validate_json(to_json(item.value), strict=True), file, item))
    except ValidationError as error:
        wrong = [(item.line(each["loc"][1:] or ("kind",)), each) for each in error.errors(include_url=False)]
        for line, each in sorted(wrong, key=lambda one: one[0]):
            parts = (_title(item.value), ".".join(map(str, each["loc"][1:])), sentence(each))
            mistakes.append(": ".join(part for part in (f"{_name(file)}:{line}", *parts) if part))


def _title(value: Any) -> str:
    """What a declaration with mistakes is called, as far as it can be told."""
    kind = IN_ORDER.get(str(value.get("kind"))) if isinstance(value, dict) else None
    if kind is None:
        return ""
    names = [value[field] for field in kind.identity if isinstance(value.get(field), str)]
    return f"{kind.noun} {'/'.join(names)}".strip()


def _contradictions(one: Declaration) -> Iterator[str]:
    if not isinstance(one.what, DeclaredDeployment):
        return
    bounds: list[tuple[Pointer, int, int]] = [((), one.what.min_replicas, one.what.max_replicas)]
    bounds += [(("schedule", at), turn.min_replicas, turn.max_replicas) for at, turn in enumerate(one.what.schedule)]
    for where, least, most in bounds:
        if least > most:
            field = "min_replicas" if where or "min_replicas" in one.what.model_fields_set else "max_replicas"
            detail = f"min_replicas ({least}) is above max_replicas ({most}). Lower it, or raise max_replicas."
            yield one.mistake((*where, field), detail)


def _twice(found: Sequence[Declaration]) -> Iterator[str]:
    first: dict[str, Declaration] = {}
    for one in found:
        if (other := first.setdefault(one.what.title, one)) is not one:
            yield one.mistake((), f"it is declared twice, also at {other.place()}. Remove one.")


def _name(file: Path) -> str:
    return "standard input" if file == STDIN else str(file)
