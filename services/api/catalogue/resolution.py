"""From the `model` of a request to the model that is meant, and the rule by which it was found."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

from services.api.access.keys import KeyLimits
from services.api.catalogue.catalogue import Catalogue, Model
from services.api.tenancy.organizations import Organization

_UUID_LENGTH: Final = 36


class Rule(StrEnum):
    """`ID`: the UUID of a catalogued model; `PUBLIC`: its id on the hub; `OFFERING`: a name of the caller's own."""

    ID = "id"
    PUBLIC = "public"
    OFFERING = "offering"


@dataclass(frozen=True)
class Resolved:
    model: Model
    rule: Rule


@dataclass(frozen=True)
class ModelMissing:
    """The request names no model."""


@dataclass(frozen=True)
class ModelNotFound:
    """The same whether or not somebody else has such a thing."""

    name: str


Resolution: TypeAlias = Resolved | ModelMissing | ModelNotFound


def resolve(name: str | None, catalogue: Catalogue, organization: Organization | None) -> Resolution:
    """What a caller of `organization`, or of none, means by `name`.

    In this order: nothing named; the UUID of a catalogued model; a catalogued id, matched whole, for everyone; an
    active offering of the caller's own organisation; nothing. What stands before a slash is looked at last:
    `Qwen/Qwen2.5-7B-Instruct` is one id, and nobody's organisation.
    """
    if not name:
        return ModelMissing()
    if model := _identified(name, catalogue):
        return Resolved(model, Rule.ID)
    if model := catalogue.named(name):
        return Resolved(model, Rule.PUBLIC)
    if organization and (model := _offered(name, catalogue, organization)):
        return Resolved(model, Rule.OFFERING)
    return ModelNotFound(name)


def allowed(owner: KeyLimits, name: str, model: Model) -> bool:
    """Whether a key may use a model by this name: it allows the name, the model's id on the hub, or its UUID."""
    return owner.allowed_models is None or not {name, model.model, str(model.id)}.isdisjoint(owner.allowed_models)


def shadowed(name: str, catalogue: Catalogue, organization: Organization | None) -> bool:
    """Whether the organisation has an offering of this name, which means a catalogued model to everyone."""
    if organization is None or catalogue.named(name) is None:
        return False
    slug, _, code = name.partition("/")
    return slug == organization.slug and catalogue.offering(organization.id, code) is not None


def _identified(name: str, catalogue: Catalogue) -> Model | None:
    if len(name) != _UUID_LENGTH:
        return None
    try:
        return catalogue.identified(UUID(name))
    except ValueError:
        return None


def _offered(name: str, catalogue: Catalogue, organization: Organization) -> Model | None:
    slug, _, code = name.partition("/")
    if slug != organization.slug:
        return None
    offering = catalogue.offering(organization.id, code)
    return catalogue.identified(offering.model_id) if offering and offering.active else None
