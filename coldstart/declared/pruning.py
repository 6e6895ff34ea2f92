"""What no file declares: what of it may be deleted, and why the rest stays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coldstart.declared.dangling import dangling
from coldstart.declared.installed import Installation, Installed
from coldstart.declared.kinds import (
    AnyDeclared,
    DeclaredDeployment,
    DeclaredModel,
    DeclaredOffering,
    DeclaredOrganization,
    stage,
)
from coldstart.declared.model_names import ModelNames


@dataclass(frozen=True)
class Pruned:
    """`deleted` in the order in which they can be. The rest are sentences.

    `kept`: why something undeclared stays. `warnings`: what stays and names something that is deleted.
    """

    deleted: tuple[Installed, ...]
    kept: tuple[str, ...]
    warnings: tuple[str, ...]


def pruned(
    declared: Sequence[AnyDeclared], matched: frozenset[str], installation: Installation, names: ModelNames
) -> Pruned:
    """Of each kind that is declared, what is not in `matched`, by id. Keys are never deleted. Raises ApiProblem."""
    kinds = sorted({what.kind for what in declared} - {"KeyLimits"})
    deleted: list[Installed] = []
    kept: list[str] = []
    undeclared = [one for kind in kinds for one in installation.all(kind) if one.row["id"] not in matched]
    deployments = {one.what.name for one in undeclared if isinstance(one.what, DeclaredDeployment)}
    for one in sorted(undeclared, key=lambda one: stage(one.what, deployments), reverse=True):
        if uses := list(_uses(one, declared, deleted, installation, names)):
            kept.append(f"{one.what.title} is not declared, but stays: {', '.join(uses)}.")
        else:
            deleted.append(one)
    return Pruned(tuple(deleted), tuple(kept), tuple(dangling(declared, matched, deleted, installation)))


def _uses(
    one: Installed,
    declared: Sequence[AnyDeclared],
    deleted: Sequence[Installed],
    installation: Installation,
    names: ModelNames,
) -> Iterator[str]:
    """What needs it, as `2 instances` or `a file names it`."""
    if isinstance(one.what, DeclaredOrganization):
        slug = one.what.slug
        instances = [row for row in installation.instances if row["organization_id"] == one.row["id"]]
        needing = [each for each in installation.deployments if each.what.owner == slug]
        named = any(what.owner == slug for what in declared)
    elif isinstance(one.what, DeclaredModel):
        model = one.what.model
        instances = [row for row in installation.instances if row["model"] == model]
        needing = [
            each
            for each in (*installation.deployments, *installation.offerings)
            if each not in deleted and each.row["model"] == model
        ]
        named = any(names.same(model, other, what.owner) for what in declared if (other := _model(what)))
    else:
        return
    if instances:
        yield f"it has {len(instances)} living instance{'s' * (len(instances) > 1)}"
    yield from (f"{each.what.title} needs it" for each in needing)
    if named:
        yield "a file names it"


def _model(what: AnyDeclared) -> str | None:
    return what.model if isinstance(what, DeclaredOffering | DeclaredDeployment) else None
