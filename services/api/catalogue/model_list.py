"""Models in OpenAI's list format: the catalogue's, and the offerings of the caller's organisation."""

from datetime import datetime
from typing import Any

from services.api.access.api_keys import KeyLimits
from services.api.catalogue.catalogue import Catalogue
from services.api.catalogue.resolution import Resolved, Rule, allowed, resolve
from services.api.tenancy.organizations import Organization


def listed(catalogue: Catalogue, organization: Organization | None, owner: KeyLimits) -> list[dict[str, Any]]:
    """Every name that a caller of `organization`, or of none, may use with this key."""
    models = [_shown(model.model, model.created_at) for model in catalogue if allowed(owner, model.model, model)]
    if organization is None:
        return models
    names = (organization.name_of(offering.code) for offering in catalogue.offerings(organization.id))
    found = ((name, resolve(name, catalogue, organization)) for name in names)
    offered = [
        shown(name, resolved)
        for name, resolved in found
        if isinstance(resolved, Resolved) and resolved.rule is Rule.OFFERING and allowed(owner, name, resolved.model)
    ]
    return models + offered


def shown(name: str, resolved: Resolved) -> dict[str, Any]:
    """The model behind `name`. An offering appears under its own name only."""
    model = resolved.model
    return _shown(name if resolved.rule is Rule.OFFERING else model.model, model.created_at)


def _shown(name: str, created_at: datetime) -> dict[str, Any]:
    owner, _, _ = name.partition("/")
    return {"id": name, "object": "model", "created": int(created_at.timestamp()), "owned_by": owner}
