"""YAML in and out: values as JSON has them, and the line on which each of them stands.

Read as YAML 1.2's core schema has it (https://yaml.org/spec/1.2.2/#103-core-schema): `no`, `on` and dates are text. So
is `12e4567`, which is rather the hash of a commit than a number.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

Path: TypeAlias = Sequence[str | int]
"""Of a value in a document: names of fields, and numbers of items from 0."""
_NULL, _BOOL, _INT, _FLOAT, _STR = (f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str"))
# A text of JSON may have a character beyond U+FFFF as two escapes (RFC 8259, 7), which YAML takes for two characters.
_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    _NULL: lambda _: None,
    _BOOL: lambda written: {"true": True, "false": False}[written.lower()],
    _INT: int,
    _FLOAT: float,
    _STR: lambda written: written.encode("utf-16", "surrogatepass").decode("utf-16"),
}
_MOST_VALUES: Final = 100_000
"""Of a document, each counted as often as aliases repeat it: a few lines could stand for billions."""
_HINT: Final = "Write `field: value` lines, indented by spaces"


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own, of YAML 1.1, are not wanted


class _Dumper(yaml.SafeDumper):
    """Quotes a text that YAML 1.1, or this module, would take for something else."""


for _tag, _pattern, _first in (
    (_NULL, r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    (_BOOL, r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    (_INT, r"^[-+]?(?:0|[1-9][0-9]*)$", list("-+0123456789")),
    (_FLOAT, r"^[-+]?[0-9]+(?:\.[0-9]*(?:[eE][-+]?[0-9]+)?|[eE][-+][0-9]+)$", list("-+0123456789")),
):
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_tag, re.compile(_pattern), _first)


class NotYaml(Exception):
    """`line` counts from 1; the message says what is wrong and what to do."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class YamlValue:
    """A value of a file, with where its parts stand."""

    value: Any
    node: yaml.Node

    def line(self, path: Path = ()) -> int:
        """Counted from 1: of the field or item at `path`, else of what would contain it."""
        node, mark = self.node, self.node.start_mark
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            mark, node = found
        return int(mark.line) + 1

    def items(self) -> Iterator["YamlValue"]:
        """Those of a list; else itself."""
        if isinstance(self.node, yaml.SequenceNode):
            for value, node in zip(self.value, self.node.value, strict=True):
                yield YamlValue(value, node)
        else:
            yield self


def documents(text: str) -> Iterator[YamlValue]:
    """Every document that is not empty. Raises NotYaml."""
    try:
        for node in yaml.compose_all(text, _Loader):
            if (value := _Values().of(node)) is not None:
                yield YamlValue(value, node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(mark.line + 1 if mark else 1, f"it is not YAML: {error.problem}. {_HINT}.") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise NotYaml(line, f"it has a character that YAML does not allow ({error.reason}). Remove it.") from None
    except RecursionError:
        raise NotYaml(1, "it is nested too deeply to be a declaration.") from None


def dumped(values: Sequence[dict[str, Any]]) -> str:
    """As documents, in the order of their fields. No character in it has an effect on a terminal."""
    readable = _dump(values, unicode=True)
    return readable if readable.replace("\n", "").isprintable() else _dump(values, unicode=False)


def _dump(values: Sequence[dict[str, Any]], *, unicode: bool) -> str:
    return yaml.dump_all(values, Dumper=_Dumper, sort_keys=False, allow_unicode=unicode, width=110, explicit_start=True)


class _Values:
    """Turns nodes into values. Each is made once, however many aliases refer to it."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._sizes: dict[int, int] = {}
        self._under_way: set[int] = set()

    def of(self, node: yaml.Node) -> Any:
        """Raises NotYaml."""
        if id(node) in self._under_way:
            raise NotYaml(node.start_mark.line + 1, "this part contains itself. Write it out instead of the alias.")
        if id(node) not in self._made:
            self._under_way.add(id(node))
            self._made[id(node)] = self._value(node)
            self._sizes[id(node)] = 1 + sum(self._sizes[id(part)] for part in _parts(node))
            self._under_way.discard(id(node))
        if self._sizes[id(node)] > _MOST_VALUES:
            raise NotYaml(node.start_mark.line + 1, f"this is more than {_MOST_VALUES:,} values. Declare less at once.")
        return self._made[id(node)]

    def _value(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if node.tag not in (yaml.resolver.Resolver.DEFAULT_MAPPING_TAG, yaml.resolver.Resolver.DEFAULT_SEQUENCE_TAG):
            raise NotYaml(node.start_mark.line + 1, f"the tag {node.tag} means nothing here. Remove it.")
        if isinstance(node, yaml.SequenceNode):
            return [self.of(item) for item in node.value]
        return self._mapping(node)

    def _mapping(self, node: yaml.Node) -> dict[str, Any]:
        lines: dict[str, int] = {}
        values = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode):
                raise NotYaml(line, "the name of a field has to be a word.")
            if name.value in lines:
                raise NotYaml(line, f"{name.value} is there twice, also in line {lines[name.value]}. Remove one.")
            lines[name.value] = line
            values[name.value] = self.of(value)
        return values


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from (value for _, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _scalar(node: yaml.ScalarNode) -> Any:
    try:
        return _READ[node.tag](node.value)
    except UnicodeDecodeError:
        raise NotYaml(node.start_mark.line + 1, "a text has half a character (a lone surrogate). Remove it.") from None
    except (KeyError, ValueError):
        raise NotYaml(node.start_mark.line + 1, f"{node.value!r} is no {node.tag}. Remove the tag.") from None


def _step(node: yaml.Node, step: str | int) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((name.start_mark, value) for name, value in node.value if name.value == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and str(step).isdecimal() and int(step) < len(node.value):
        item = node.value[int(step)]
        return item.start_mark, item
    return None
