"""`coldstart apply`: make an installation so as files declare it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from coldstart.api_client import Api
from coldstart.commands.asking import REFUSED, Yes, ask
from coldstart.commands.context import Json, api, complain, note, print_json, say, warn
from coldstart.declared.carrying_out import carry_out
from coldstart.declared.cost import HourlyCost, hourly_cost, total
from coldstart.declared.differences import Action, ApplyPlan, Change, differences
from coldstart.declared.files import Declaration, DeclarationsInvalid, declarations
from coldstart.declared.installed import Installation
from coldstart.declared.kinds import DeclaredDeployment

Costs = dict[str, HourlyCost | None]
_SIGNS: Final[dict[Action, str]] = {"create": "+", "change": "~", "delete": "-"}
_DONE: Final[dict[Action, str]] = {"create": "created", "change": "changed", "delete": "deleted"}
_ANY: Final = frozenset({"zones", "instance_types"})
"""Fields of which none means any."""
_CONSEQUENCES: Final = (
    "Deployments end with their replicas, which finish what they are answering. Organisations go with their keys. "
    "This cannot be undone."
)


def apply(
    files: Annotated[
        list[Path],
        typer.Option(
            "--file",
            "-f",
            help="A YAML file, a folder of them, or - for standard input; repeatable.",
            show_default=False,
        ),
    ],
    *,
    prune: Annotated[
        bool, typer.Option("--prune", help="Of each kind in the files, delete what they do not declare; asks first.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Create and change models, organisations, offerings, limits of keys and deployments, as files declare them.

    Prints first what differs, and what the deployments may cost. Changes nothing if nothing differs.
    """
    try:
        declared = declarations(files, sys.stdin)
        with api() as client:
            plan = differences(declared, Installation(client), prune=prune)
            costs = _costs(client, declared)
            _show(plan, costs, as_json=as_json, dry_run=dry_run)
            if not dry_run:
                _ask_about_deletions(plan, yes=yes)
                _carry_out(client, plan, quiet=as_json)
    except DeclarationsInvalid as mistakes:
        complain(str(mistakes))
        raise typer.Exit(REFUSED) from None
    for sentence in plan.missing:
        complain(sentence)
    if plan.missing:
        raise typer.Exit(1)


def _costs(client: Api, declared: Sequence[Declaration]) -> Costs:
    """What each declared deployment may cost, by its title."""
    deployments = [one.what for one in declared if isinstance(one.what, DeclaredDeployment)]
    offered = list(client.pages("/instance-types")) if deployments else []
    return {one.title: hourly_cost(client, one, offered) for one in deployments}


def _show(plan: ApplyPlan, costs: Costs, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json(_as_json(plan, costs, dry_run=dry_run))
        return
    for change in plan.changes:
        _say_change(change, costs)
    for sentence in plan.kept:
        note(sentence)
    for sentence in plan.warnings:
        warn(sentence)
    for cost in total(costs.values()):
        say(f"These deployments cost {cost}, at list price.")
    if unknown := [title for title, cost in costs.items() if cost is None]:
        warn(f"The price of {', '.join(unknown)} is not known.")
    say(_summary(plan, dry_run=dry_run))


def _say_change(change: Change, costs: Costs) -> None:
    cost = costs.get(change.what.title) if change.action != "delete" else None
    say(f"{_SIGNS[change.action]} {change.what.title}{f'  ({cost})' if cost else ''}")
    for field in change.fields:
        say(f"    {field.field}: {_value(field.before, field.field)} → {_value(field.after, field.field)}")
    if change.action == "create":
        full, said = change.what.model_dump(mode="json"), change.what.model_dump(exclude_defaults=True)
        for name in (field for field in said if field not in change.what.identity):
            say(f"    {name}: {_value(full[name], name)}")


def _value(value: Any, field: str = "") -> str:
    match value:
        case [] if field in _ANY:
            return "any"
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list():
            return "; ".join(map(_value, value)) or "none"
        case {"cron": cron, "time_zone": zone, "min_replicas": least, "max_replicas": most}:
            return f"{cron} ({zone}) {least} to {most}"
        case dict():
            return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
        case _:
            return str(value)


def _summary(plan: ApplyPlan, *, dry_run: bool) -> str:
    if not plan.changes:
        return "Nothing differs."
    counts = [f"{len(plan.of(action))} to {action}" for action in _SIGNS if plan.of(action)]
    return f"{', '.join(counts)}.{' Nothing was changed.' if dry_run else ''}"


def _as_json(plan: ApplyPlan, costs: Costs, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "changes": [
            {
                "action": change.action,
                "kind": change.what.kind,
                **{field: getattr(change.what, field) for field in change.what.identity},
                "fields": [vars(field) for field in change.fields],
            }
            for change in plan.changes
        ],
        "kept": list(plan.kept),
        "warnings": list(plan.warnings),
        "missing": list(plan.missing),
        "hourly_costs": {title: cost and vars(cost) for title, cost in costs.items()},
    }


def _ask_about_deletions(plan: ApplyPlan, *, yes: bool) -> None:
    if deleted := [change.what.title for change in plan.of("delete")]:
        ask(f"Delete {', '.join(deleted)}?", _CONSEQUENCES, yes=yes)


def _carry_out(client: Api, plan: ApplyPlan, *, quiet: bool) -> None:
    for number, change in enumerate(plan.changes):
        try:
            carry_out(client, change)
        except BaseException:
            left, of_all = len(plan.changes) - number, f"of {len(plan.changes)} changes"
            is_left = "is left" if left == 1 else "are left"
            warn(f"{left} {of_all} {is_left}. The same command goes on from there.")
            raise
        if not quiet:
            say(f"{change.what.title}  {_DONE[change.action]}")
