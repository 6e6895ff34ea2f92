"""Declarations as `coldstart get` writes them: what differs from a default, in the order of their fields."""

from collections.abc import Iterable
from typing import Any

from coldstart.declared.kinds import AnyDeclared, DeclaredDeployment, DeclaredOrganization

_ALWAYS = {"min_replicas", "max_replicas"}


def written(declared: Iterable[AnyDeclared]) -> list[dict[str, Any]]:
    """As JSON has them; `files.declarations` reads the same again."""
    return [_written(what) for what in declared]


def _written(what: AnyDeclared) -> dict[str, Any]:
    full, differing = what.model_dump(mode="json"), what.model_dump(mode="json", exclude_defaults=True)
    if isinstance(what, DeclaredDeployment):
        differing |= {field: full[field] for field in _ALWAYS}
    if isinstance(what, DeclaredOrganization) and what.name == what.slug:
        differing.pop("name", None)
    first = ("kind", *what.identity)
    in_order = (*first, *(field for field in full if field not in first))
    return {field: full[field] for field in in_order if field == "kind" or field in differing}
