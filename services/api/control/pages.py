"""Pagination: a cursor says where the last page ended, so nothing is shown twice while new items arrive."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from litestar.params import QueryParameter
from pydantic import BaseModel, ConfigDict

from services.api.refusals import FieldError, Invalid, invalid
from shared.postgres.keyset import Position

Item = TypeVar("Item", bound=BaseModel)
LONGEST: Final = 200

Limit = Annotated[int, QueryParameter(ge=1, le=LONGEST, description="The most items.")]
Cursor = Annotated[
    str | None,
    QueryParameter(description="`next_cursor` of the previous page.", schema_extra={"pattern": "^[A-Za-z0-9_=-]+$"}),
]


class Page(BaseModel, Generic[Item]):
    """`next_cursor` is null on the last page."""

    model_config = ConfigDict(frozen=True)
    items: list[Item]
    next_cursor: str | None


def page(items: Sequence[Item], limit: int, position: Callable[[Item], Sequence[object]]) -> Page[Item]:
    """The first page of `items`, which may have one item more than `limit` to show that another page follows."""
    shown = list(items[:limit])
    follows = len(items) > limit
    return Page(items=shown, next_cursor=_encoded(position(shown[-1])) if follows else None)


def position(cursor: str | None) -> Position | None:
    """Raises Invalid for an invalid cursor."""
    if cursor is None:
        return None
    try:
        created_at, item_id = _decoded(cursor)
        at = datetime.fromisoformat(created_at)
        if at.tzinfo is None:
            raise _malformed(cursor)
        return at.astimezone(UTC), UUID(item_id)
    except (
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
    ) as error:  # near the limits of time, conversion to UTC may fail
        raise _malformed(cursor) from error


def version(cursor: str | None) -> int:
    """Raises Invalid for an invalid timeline cursor."""
    if cursor is None:
        return 0
    try:
        (found,) = _decoded(cursor)
    except (ValueError, TypeError) as error:
        raise _malformed(cursor) from error
    if not isinstance(found, int) or not 0 <= found < 2**31:
        raise _malformed(cursor)
    return found


def _encoded(values: Sequence[object]) -> str:
    text = json.dumps([value if isinstance(value, int) else str(value) for value in values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(cursor: str) -> list[Any]:
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(cursor) from error
    if not isinstance(found, list):
        raise TypeError(cursor)
    return found


def _malformed(cursor: str) -> Invalid:
    detail = f"{cursor!r} is not a cursor of this list; begin without one, and pass on `next_cursor` unchanged."
    return invalid(FieldError(pointer="cursor", detail=detail))
