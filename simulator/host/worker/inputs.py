"""Texts in a request: one, several, or the ids of their tokens."""

from typing import Any

from .refusals import Invalid
from .tokens import text_of
from .version import Version


def texts_of(version: Version, request: dict[str, Any], name: str) -> list[str]:
    """At least one. Raises Invalid."""
    given = request.get(name)
    items = [given] if isinstance(given, str) or _ids(given) else given
    if not isinstance(items, list) or not items:
        raise Invalid(version, "list_type", (name,), "Input should be a valid list", input=given)
    return [_text(version, name, item) for item in items]


def ids_in(version: Version, request: dict[str, Any], name: str) -> list[int]:
    """Raises Invalid."""
    ids: Any = request.get(name)
    if ids != [] and not _ids(ids):
        raise Invalid(version, "list_type", (name,), "Input should be a valid list of token ids", input=ids)
    return list(ids)


def _text(version: Version, name: str, item: Any) -> str:
    if isinstance(item, str):
        return item
    if not _ids(item):
        raise Invalid(version, "string_type", (name,), "Input should be a valid string", input=item)
    return text_of(item)


def _ids(given: Any) -> bool:
    whole = isinstance(given, list) and bool(given)
    return whole and all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in given)
