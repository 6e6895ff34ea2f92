"""The errors with which the rooms of this service refuse a request. Nothing here knows HTTP.

`control/problems.py` turns them into problem documents, `router/refusal.py` into errors in OpenAI's shape.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict


class Kind(StrEnum):
    """The general reason of a refusal, which decides what the caller can do.

    `FAILED`: a service that we need refused; `UNAVAILABLE`: try again later; `UNFINISHED`: the work continues, but
    takes longer than the caller can wait.
    """

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not found"
    CONFLICT = "conflict"
    UNMET = "precondition not met"
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
    """The root of all refusals. A subclass is one reason; its kind, code and title never change.

    `code` is stable, `title` says what happened, `detail` says what to do. `errors` names the fields concerned,
    `figures` are for programs, and `retry_after_s` says in how many seconds to try again.
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
        """The same refusal with another sentence, in its detail and in each field's, and more figures."""
        return type(self)(
            self.detail + sentence,
            errors=tuple(FieldError(pointer=error.pointer, detail=error.detail + sentence) for error in self.errors),
            figures={**self.figures, **figures},
            retry_after_s=self.retry_after_s,
        )

    def renaming(self, pointers: Mapping[str, str]) -> Self:
        """The same refusal of a body that has these fields under another pointer, in its detail as well."""
        detail, errors = self.detail, []
        for error in self.errors:
            pointer = pointers.get(error.pointer, error.pointer)
            detail = detail.replace(f"{error.pointer}: ", f"{pointer}: ")
            errors.append(FieldError(pointer=pointer, detail=error.detail))
        return type(self)(detail, errors=tuple(errors), figures=self.figures, retry_after_s=self.retry_after_s)


class Invalid(Refused, kind=Kind.INVALID, code="invalid_request", title="The request is not valid"):
    """Fields or parameters are wrong."""


def invalid(*errors: FieldError) -> Invalid:
    return Invalid("; ".join(f"{error.pointer}: {error.detail}" for error in errors), errors=errors)
