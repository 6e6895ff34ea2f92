"""Resolves the `model` of a request to a model, and names the rule that matched."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

from services.api.access.api_keys import KeyLimits
from services.api.catalogue.catalogue import Catalogue, Model
from services.api.tenancy.organizations import Organization

_UUID_LENGTH: Final = 36


class Rule(StrEnum):
    """`ID`: a catalogued model's UUID; `PUBLIC`: its id on the hub; `OFFERING`: a name of the caller's organisation."""

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
    """The same answer whether or not another organisation has this name."""

    name: str


Resolution: TypeAlias = Resolved | ModelMissing | ModelNotFound


def resolve(name: str | None, catalogue: Catalogue, organization: Organization | None) -> Resolution:
    """What `name` means to a caller of `organization`, or of none.

    In this order: no name; the UUID of a catalogued model; a catalogued id, matched whole, for everyone; an active
    offering of the caller's own organisation; nothing. The part before a slash is checked last:
    `Qwen/Qwen2.5-7B-Instruct` is one id, and not an organisation's.
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
    """Whether a key may use a model under this name: it allows the name, the model's hub id, or its UUID."""
    names = owner.allowed_models
    return names is None or name in names or model.model in names or str(model.id) in names


def shadowed(name: str, catalogue: Catalogue, organization: Organization | None) -> bool:
    """Whether a catalogued model has the same name as an offering of this organisation."""
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
    return catalogue.offered(offering) if offering and offering.active else None
