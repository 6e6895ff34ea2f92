"""What the rooms of this service refuse, and why. Nothing here knows HTTP.

`control/problems.py` makes problem documents of it, `router/refusal.py` errors in OpenAI's shape.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict


class Kind(StrEnum):
    """Why something is refused, in general: it decides what the caller can do about it.

    `FAILED`: another service that was needed refuses to answer; `UNAVAILABLE`: try again later; `UNFINISHED`: it goes
    on, but not within the time that a caller waits.
    """

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not found"
    CONFLICT = "conflict"
    LIMITED = "limited"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    UNFINISHED = "unfinished"


class FieldError(BaseModel):
    """`pointer` is a JSON pointer (RFC 6901) into the body, or the name of a parameter."""

    model_config = ConfigDict(frozen=True)
    pointer: str
    detail: str


class Refused(Exception):
    """The root of all that a room refuses. A subclass is one reason; its kind, code and title never change.

    `code` is stable, `title` says what happened, and `detail` says what to do. `errors` are the fields that it is
    about, `figures` are for programs, and `retry_after_s` says when to ask again, in seconds.
    """

    kind: ClassVar[Kind]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init_subclass__(cls, *, kind: Kind, code: str, title: str) -> None:
        super().__init_subclass__()
        cls.kind, cls.code, cls.title = kind, code, title

    def __init__(
        self,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        figures: Mapping[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(f"{self.code}: {detail}")
        self.detail: Final = detail
        self.errors: Final = errors
        self.figures: Final = dict(figures or {})
        self.retry_after_s: Final = retry_after_s

    def adding(self, sentence: str, **figures: Any) -> Self:
        """The same with one more sentence, in the detail and in each field's, and with more figures."""
        return type(self)(
            self.detail + sentence,
            errors=tuple(FieldError(pointer=error.pointer, detail=error.detail + sentence) for error in self.errors),
            figures={**self.figures, **figures},
            retry_after_s=self.retry_after_s,
        )


class Invalid(Refused, kind=Kind.INVALID, code="invalid_request", title="The request is not valid"):
    """Fields or parameters are wrong."""


def invalid(*errors: FieldError) -> Invalid:
    return Invalid("; ".join(f"{error.pointer}: {error.detail}" for error in errors), errors=errors)
