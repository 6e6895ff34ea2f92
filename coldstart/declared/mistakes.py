"""What is wrong with a field, and what to do, in a sentence."""

import json
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from coldstart.declared.kinds import IN_ORDER
from services.api.admission.deployment_body import RolloutBody, TurnBody
from services.api.control.forms import FORMS

_NESTED: Final[dict[str, type[BaseModel]]] = {"schedule": TurnBody, "rollout": RolloutBody}
_KINDS: Final = ", ".join(IN_ORDER)
_SHOWN: Final = 60
_WORDS: Final = {
    "union_tag_not_found": f"it has no kind. Begin it with one of: {_KINDS}.",
    "dict_type": f"it is no declaration. Write fields, beginning with `kind:` and one of: {_KINDS}.",
    "missing": "it is missing. Add it.",
    "int_type": "write a whole number.",
    "int_from_float": "write a whole number.",
    "int_parsing_size": "it is too large a number.",
    "float_type": "write a number.",
    "bool_type": "write true or false.",
    "string_type": "write text; in quotes if it looks like a number.",
    "list_type": "write a list, e.g. [a, b].",
    "tuple_type": "write a list, e.g. [a, b].",
    "model_type": "write fields below it, each on a line.",
    "greater_than": "write a number above {gt}.",
    "greater_than_equal": "write {ge} or more.",
    "less_than_equal": "write {le} or less.",
    "finite_number": "write a number.",
    "string_too_short": "write at least {min_length} character.",
    "string_too_long": "write at most {max_length} characters.",
    "too_short": "name at least {min_length}, or leave the field out.",
    "too_long": "name at most {max_length}.",
}
"""By pydantic's type of error (https://docs.pydantic.dev/latest/errors/validation_errors)."""


def sentence(error: ErrorDetails) -> str:
    kind, given = error["type"], error["input"]
    context = {name: _whole(each) for name, each in error.get("ctx", {}).items()}
    match kind:
        case "union_tag_invalid":
            return (
                f"there is no kind {_shown(context['tag'])}.{_like(context['tag'], list(IN_ORDER))} Kinds are {_KINDS}."
            )
        case "extra_forbidden":
            return _no_field(error["loc"])
        case "literal_error":
            return f"{_shown(given)} is not known. Write {str(context['expected']).replace(chr(39), '')}."
        case "string_pattern_mismatch":
            return f"{_shown(given)} {FORMS[context['pattern']]}."
    words = _WORDS.get(kind)
    if words is None:
        return f"{error['msg'].removeprefix('Value error, ')}."
    cannot = "" if kind in {"missing", "dict_type", "union_tag_not_found"} else f"{_shown(given)} cannot stand here: "
    return cannot + words.format(**context)


def _no_field(where: tuple[int | str, ...]) -> str:
    fields = list(_class_of(where).model_fields)
    meant = _like(str(where[-1]), fields) or f" Fields are {', '.join(fields)}."
    return f"there is no such field.{meant}"


def _class_of(where: tuple[int | str, ...]) -> type[BaseModel]:
    """Of the declaration or its part that has this field."""
    parts = [_NESTED[step] for step in where[1:-1] if isinstance(step, str) and step in _NESTED]
    return parts[-1] if parts else IN_ORDER[str(where[0])]


def _like(written: str, known: list[str]) -> str:
    near = get_close_matches(written, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _shown(value: Any) -> str:
    written = repr(value) if isinstance(value, str) else json.dumps(value)
    return written if len(written) <= _SHOWN else f"{written[:_SHOWN]}…"


def _whole(bound: Any) -> Any:
    """Without `.0`."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound
