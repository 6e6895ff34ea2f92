"""From the `model` of a request to the model that is meant. Whoever asks gets the same answer."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.api.catalogue import Catalogue, Model

_UUID_LENGTH: Final = 36


@dataclass(frozen=True)
class ModelMissing:
    """The request names no model."""


@dataclass(frozen=True)
class ModelNotFound:
    name: str


def resolve(model: str | None, catalogue: Catalogue) -> Model | ModelMissing | ModelNotFound:
    """In this order: nothing named; the UUID of a catalogued model; a catalogued id, matched whole; nothing.

    What stands before a slash is never read as an organisation here: `Qwen/Qwen2.5-7B-Instruct` is one id.
    """
    if not model:
        return ModelMissing()
    return _identified(model, catalogue) or catalogue.named(model) or ModelNotFound(model)


def _identified(model: str, catalogue: Catalogue) -> Model | None:
    if len(model) != _UUID_LENGTH:
        return None
    try:
        return catalogue.identified(UUID(model))
    except ValueError:
        return None
