"""How answers are read: what a later version of the api has besides is no error."""

from enum import StrEnum
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from coldstart_client.errors import UnexpectedAnswer

Model = TypeVar("Model", bound=BaseModel)


class Answer(BaseModel):
    """The root of all answers. Fields that are not known here are kept in `model_extra`."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)


class OpenEnum(StrEnum):
    """Values that a later version may add to; such a one becomes a member without a name of its own."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_, member._value_ = value, value
        return member


def read(model: type[Model], answer: object) -> Model:
    """The answer as a `model`. Raises UnexpectedAnswer."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"the api's {model.__name__} has what this version of the library does not know, or lacks what it needs: "
            f"use the library of the api's version ({error.error_count()} fields, first {_first(error)})."
        ) from error


def _first(error: ValidationError) -> str:
    return "/".join(str(step) for step in error.errors(include_input=False, include_url=False)[0]["loc"])
