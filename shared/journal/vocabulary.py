"""Which events and fields this version knows, and what it does not understand of what another version wrote. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from hashlib import sha256
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from shared.deployments.deployment import Deployment
from shared.deployments.events import DEPLOYMENT_EVENTS
from shared.lifecycle.events import EVENTS
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Specification, Wish

_PUBLISHED_AS: Final[Mapping[type[BaseModel], type[BaseModel]]] = {Wish: Specification}


class Unmergeable(ValueError):
    """Something unknown is inside a list: to which of its elements it belongs later, nobody knows."""


@cache
def _models(kind: type[BaseModel]) -> Mapping[str, tuple[type[BaseModel], ...]]:
    """The models in each field of this one, as they are published."""
    return {name: tuple(_in(field.annotation)) for name, field in kind.model_fields.items()}


@cache
def _nested(kind: type[BaseModel]) -> Sequence[tuple[str, tuple[type[BaseModel], ...]]]:
    """Those of its fields that have models in them."""
    return [(name, models) for name, models in _models(kind).items() if models]


def _in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield _PUBLISHED_AS.get(annotation, annotation)
    for argument in get_args(annotation):
        yield from _in(argument)


def _choices(annotation: Any) -> Iterator[str]:
    """The values of its enumerations and literals."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (str(each.value) for each in annotation)
    elif get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
    else:
        for argument in get_args(annotation):
            yield from _choices(argument)


def _words(kind: type[BaseModel]) -> dict[str, Any]:
    return {
        name: [sorted(_choices(kind.model_fields[name].annotation)), *map(_words, models)]
        for name, models in sorted(_models(kind).items())
    }


def vocabulary_of(models: Mapping[str, type[BaseModel]]) -> str:
    """A name for the fields of these models, and for the values that they may have where those are listed."""
    known = {name: _words(model) for name, model in sorted(models.items())}
    return sha256(json.dumps(known).encode()).hexdigest()[:8]


VOCABULARIES: Final[Mapping[type[BaseModel], str]] = {
    Instance: vocabulary_of({**EVENTS, "Instance": Instance}),
    Deployment: vocabulary_of({**DEPLOYMENT_EVENTS, "Deployment": Deployment}),
}
"""Of an instance's events, and of a deployment's: the same for two versions that know the same events, fields, values.

There are two, so that what is new in the one is no reason to read the other with care.
"""


def unread(raw: dict[str, Any], kind: type[BaseModel]) -> dict[str, Any]:
    """The parts of a body, as read from JSON, that this version does not know, at their places. Raises Unmergeable."""
    known = _models(kind).keys()
    found = {} if raw.keys() <= known else {name: raw[name] for name in raw.keys() - known}
    for name, models in _nested(kind):
        value = raw.get(name)
        if not value:
            continue
        for model in models:
            if isinstance(value, dict):
                if inside := unread(value, model):
                    found[name] = inside
            elif isinstance(value, list):
                for each in value:
                    if isinstance(each, dict) and unread(each, model):
                        raise Unmergeable(name)
    return found


def merged(known: Mapping[str, Any], unread: Mapping[str, Any]) -> dict[str, Any]:
    """A body with what was not understood put back where it was; a part that is gone takes its own with it."""
    whole = dict(known)
    for name, value in unread.items():
        if name not in known:
            whole[name] = value
        elif isinstance(value, Mapping) and isinstance(known[name], Mapping):
            whole[name] = merged(known[name], value)
    return whole
