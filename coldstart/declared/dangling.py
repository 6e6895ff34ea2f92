"""What stays and names something that is to be deleted: an offering, a key's allowed models, a deployment."""

from collections.abc import Iterator, Sequence
from typing import Final

from coldstart.api_client import ApiProblem
from coldstart.declared.installed import Installation, Installed
from coldstart.declared.kinds import (
    AnyDeclared,
    DeclaredDeployment,
    DeclaredKeyLimits,
    DeclaredModel,
    DeclaredOffering,
    DeclaredOrganization,
)

_FORBIDDEN: Final = 403


def dangling(
    declared: Sequence[AnyDeclared], matched: frozenset[str], deleted: Sequence[Installed], installation: Installation
) -> Iterator[str]:
    """In sentences. `matched`: the ids of what is declared and there. Raises ApiProblem."""
    if not deleted:
        return
    names = _Names(declared, deleted)
    ids = matched | {one.row["id"] for one in deleted}
    there = (*installation.offerings, *_keys(installation), *installation.deployments)
    undeclared = [one.what for one in there if one.row["id"] not in ids]
    for what in (*declared, *undeclared):
        if not names.goes_with_its_owner(what):
            for field, gone in names.gone(what):
                yield f"{what.title}: {field} names {gone}, which is to be deleted. Name another, or declare it."


def _keys(installation: Installation) -> list[Installed]:
    """Empty without the right to see keys."""
    try:
        return installation.keys
    except ApiProblem as problem:
        if problem.status != _FORBIDDEN:
            raise
        return []


class _Names:
    """The names of what is to be deleted, as others say them, each with its title."""

    def __init__(self, declared: Sequence[AnyDeclared], deleted: Sequence[Installed]) -> None:
        self._owners: set[str] = set()
        self._models: dict[str, str] = {}
        self._offerings: dict[str, str] = {}
        self._deployments: dict[tuple[str | None, str], str] = {}
        self._declared = {(one.organization, one.name) for one in declared if isinstance(one, DeclaredDeployment)}
        for one in deleted:
            match one.what:
                case DeclaredOrganization(slug=slug):
                    self._owners.add(slug)
                case DeclaredModel(model=model):
                    self._models |= dict.fromkeys((model, one.row["id"]), one.what.title)
                case DeclaredOffering(organization=slug, code=code):
                    self._offerings[f"{slug}/{code}"] = one.what.title
                case DeclaredDeployment(name=name, organization=owner):
                    self._deployments[owner, name] = one.what.title
                case DeclaredKeyLimits():
                    raise AssertionError("keys are never deleted")

    def goes_with_its_owner(self, what: AnyDeclared) -> bool:
        return what.owner in self._owners

    def gone(self, what: AnyDeclared) -> Iterator[tuple[str, str]]:
        """The fields that name something that goes, and what that is."""
        for field, name in _named(what):
            if gone := self._models.get(name) or self._offering(name, what) or self._deployment(name, what):
                yield field, gone

    def _offering(self, name: str, what: AnyDeclared) -> str | None:
        """Offerings are names of their own organisation only."""
        own = name.partition("/")[0] == what.owner
        return self._offerings.get(name) if own else None

    def _deployment(self, name: str, what: AnyDeclared) -> str | None:
        """Only offerings name one. The organisation's own comes before the shared one."""
        if not isinstance(what, DeclaredOffering):
            return None
        for owner in (what.organization, None):
            if (owner, name) in self._declared:
                return None
            if title := self._deployments.get((owner, name)):
                return title
        return None


def _named(what: AnyDeclared) -> Iterator[tuple[str, str]]:
    """Each field that names a model, an offering or a deployment, and the name."""
    match what:
        case DeclaredOffering(model=model):
            yield "model", model
        case DeclaredKeyLimits(allowed_models=names):
            yield from (("allowed_models", name) for name in names or ())
        case DeclaredDeployment(model=model, fallback=fallback):
            yield "model", model
            if fallback is not None:
                yield "fallback", fallback
