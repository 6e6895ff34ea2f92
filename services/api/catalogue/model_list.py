"""Models in OpenAI's list format: the catalogue's, and the offerings of the caller's organisation."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from services.api.access.api_keys import KeyLimits
from services.api.catalogue.catalogue import Catalogue, Model
from services.api.catalogue.resolution import Resolved, Rule, allowed, resolve
from services.api.tenancy.organizations import Organization

Details: TypeAlias = Callable[[str], Mapping[str, Any]]
"""Further fields of a model in the list, as far as they are known."""


def listed(
    catalogue: Catalogue, organization: Organization | None, owner: KeyLimits, details: Details
) -> list[dict[str, Any]]:
    """Every name that a caller of `organization`, or of none, may use with this key."""
    models = [_shown(model.model, model, details) for model in catalogue if allowed(owner, model.model, model)]
    if organization is None:
        return models
    names = (organization.name_of(offering.code) for offering in catalogue.offerings(organization.id))
    found = ((name, resolve(name, catalogue, organization)) for name in names)
    offered = [
        shown(name, resolved, details)
        for name, resolved in found
        if isinstance(resolved, Resolved) and resolved.rule is Rule.OFFERING and allowed(owner, name, resolved.model)
    ]
    return models + offered


def shown(name: str, resolved: Resolved, details: Details) -> dict[str, Any]:
    """The model behind `name`. An offering appears under its own name only."""
    model = resolved.model
    return _shown(name if resolved.rule is Rule.OFFERING else model.model, model, details)


def _shown(name: str, model: Model, details: Details) -> dict[str, Any]:
    """As vLLM lists it: with `max_model_len`, if that is among the details."""
    owner, _, _ = name.partition("/")
    fields = {"id": name, "object": "model", "created": int(model.created_at.timestamp()), "owned_by": owner}
    return {**fields, **details(model.model)}
