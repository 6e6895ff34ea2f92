"""What would have to be done so that an api has what files declare, and nothing that differs. Nothing is done here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any, Literal, TypeAlias

from coldstart.declared.files import Declaration, DeclarationsInvalid
from coldstart.declared.installed import Installation, Installed, Row
from coldstart.declared.kinds import (
    AnyDeclared,
    DeclaredDeployment,
    DeclaredKeyLimits,
    DeclaredModel,
    DeclaredOrganization,
    stage,
)
from coldstart.declared.model_names import ModelNames
from coldstart.declared.pruning import pruned

Action: TypeAlias = Literal["create", "change", "delete"]


@dataclass(frozen=True)
class FieldChange:
    """`field` as `rollout.surge`; values as JSON has them."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """`declaration` is None for what is deleted; `row` is what the api has, empty for what is created."""

    action: Action
    what: AnyDeclared
    declaration: Declaration | None
    row: Row
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class ApplyPlan:
    """`changes` in the order in which they can be made. The rest are sentences.

    `kept`: why something undeclared is not deleted. `warnings`: what names something that is. `missing`: keys with
    declared limits that somebody has to make.
    """

    changes: tuple[Change, ...]
    kept: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def of(self, action: Action) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.action == action)


def differences(declared: Sequence[Declaration], installation: Installation, *, prune: bool) -> ApplyPlan:
    """`prune`: also delete what no file declares, of each kind that they declare.

    Raises DeclarationsInvalid for what cannot be as declared, and ApiProblem.
    """
    deployments = {one.what.name for one in declared if isinstance(one.what, DeclaredDeployment)}
    in_order = sorted(declared, key=lambda one: stage(one.what, deployments))
    names = ModelNames([one.what for one in in_order], installation)
    comparison = _Comparison(in_order, installation, names)
    changes = [change for one in in_order if (change := comparison.change(one)) is not None]
    if comparison.mistakes:
        raise DeclarationsInvalid("\n".join(comparison.mistakes))
    missing = tuple(comparison.missing)
    if not prune:
        return ApplyPlan(tuple(changes), missing=missing)
    rest = pruned([one.what for one in in_order], frozenset(comparison.matched), installation, names)
    deletions = (Change("delete", one.what, None, one.row) for one in rest.deleted)
    return ApplyPlan((*changes, *deletions), rest.kept, missing, rest.warnings)


class _Comparison:
    """`matched`: the ids of what is declared and there."""

    def __init__(self, declared: Sequence[Declaration], installation: Installation, names: ModelNames) -> None:
        self._slugs = {one.what.slug for one in declared if isinstance(one.what, DeclaredOrganization)}
        self._installation = installation
        self._names = names
        self.matched: set[str] = set()
        self.mistakes: list[str] = []
        self.missing: list[str] = []

    def change(self, one: Declaration) -> Change | None:
        """What makes it so; None if it is so already, or if it cannot be."""
        if not self._owner_is_known(one):
            return None
        installed = self._installed(one)
        if installed is None:
            return None if isinstance(one.what, DeclaredKeyLimits) else Change("create", one.what, one, {})
        self.matched.add(installed.row["id"])
        fields = tuple(self._differing(one.what, installed.what))
        if isinstance(one.what, DeclaredModel) and any(each.field == "task" for each in fields):
            detail = f"the catalogue has it for the task {installed.row['task']}, which never changes there. Leave "
            detail += f"the task out, or remove the model first: coldstart models remove {one.what.model}."
            self.mistakes.append(one.mistake(("task",), detail))
        return Change("change", one.what, one, installed.row, fields) if fields else None

    def _owner_is_known(self, one: Declaration) -> bool:
        slug = one.what.owner
        if slug is None or slug in self._slugs or slug in self._installation.slugs.values():
            return True
        detail = f"there is no organisation {slug}. Declare it, or make it: coldstart orgs create {slug}."
        self.mistakes.append(one.mistake(("organization",), detail))
        return False

    def _installed(self, one: Declaration) -> Installed | None:
        what = one.what
        if isinstance(what, DeclaredDeployment):
            return self._installation.deployment(what.name, what.organization)
        same = [each for each in self._installation.all(what.kind) if _title(each.what) == _title(what)]
        if isinstance(what, DeclaredKeyLimits) and len(same) != 1:
            self._no_single_key(one, what, len(same))
            return None
        return same[0] if same else None

    def _no_single_key(self, one: Declaration, what: DeclaredKeyLimits, number: int) -> None:
        if number:
            detail = f"{number} keys have this name. Set their limits by id: coldstart keys update ID."
            self.mistakes.append(one.mistake(("name",), detail))
            return
        of_whom = f" --organization {what.organization}" if what.organization else ""
        detail = f"there is no such key. Make it, and apply again: coldstart keys create {quote(what.name)}{of_whom}."
        self.missing.append(one.mistake(("name",), detail))

    def _differing(self, declared: AnyDeclared, installed: AnyDeclared) -> Iterator[FieldChange]:
        before, after = _flat(installed.fields()), _flat(declared.fields())
        owner = installed.owner
        for field, value in after.items():
            left_open = value is None and field in declared.open
            if left_open or value == before[field]:
                continue
            if field != "model" or not self._names.same(value, before[field], owner):
                yield FieldChange(field, before[field], value)


def _title(what: AnyDeclared) -> str:
    """The hub's ids are the same in other letters."""
    return what.title.casefold() if isinstance(what, DeclaredModel) else what.title


def _flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`{"rollout": {"surge": 1}}` as `{"rollout.surge": 1}`."""
    flat: dict[str, Any] = {}
    for field, value in fields.items():
        flat |= {f"{field}.{name}": each for name, each in value.items()} if isinstance(value, dict) else {field: value}
    return flat
