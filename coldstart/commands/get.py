"""`coldstart get`: what there is, as `coldstart apply` takes it."""

from enum import StrEnum
from typing import Annotated, Final

import typer

from coldstart.api_client import ApiProblem
from coldstart.commands.context import api, non_empty, print_json, warn
from coldstart.declared.installed import Installation
from coldstart.declared.kinds import AnyDeclared, DeclaredKeyLimits
from coldstart.declared.written import written
from coldstart.declared.yaml_text import dumped


class GetKind(StrEnum):
    MODELS = "models"
    ORGS = "orgs"
    OFFERINGS = "offerings"
    KEYS = "keys"
    DEPLOYMENTS = "deployments"


class GetFormat(StrEnum):
    YAML = "yaml"
    JSON = "json"


_KINDS: Final = {
    GetKind.MODELS: "Model",
    GetKind.ORGS: "Organization",
    GetKind.OFFERINGS: "Offering",
    GetKind.KEYS: "KeyLimits",
    GetKind.DEPLOYMENTS: "Deployment",
}


def get(
    kind: Annotated[GetKind, typer.Argument(help="What to write.")],
    name: Annotated[
        str | None,
        typer.Argument(help="Only this one; of an organisation's as acme/chat. Default: all.", callback=non_empty),
    ] = None,
    output: Annotated[GetFormat, typer.Option("--output", "-o", help="yaml or json.")] = GetFormat.YAML,
) -> None:
    """Write what there is in the form that `coldstart apply` takes. Of keys, their limits only."""
    with api() as client:
        found = [one.what for one in Installation(client).all(_KINDS[kind])]
        meant = [what for what in found if name in (None, _name(what))]
        if name is not None and not meant:
            raise ApiProblem(f"there is no {name!r} among the {kind}. `coldstart get {kind}` writes all of them.")
    declared = written(nameable(meant))
    if output is GetFormat.JSON:
        print_json(declared)
    elif declared:
        typer.echo(dumped(declared), nl=False)


def _name(what: AnyDeclared) -> str:
    """As `acme/chat`."""
    return "/".join(value for field in what.identity if (value := getattr(what, field)))


def nameable(found: list[AnyDeclared]) -> list[AnyDeclared]:
    """Without keys of the same name: a file can only mean one."""
    names = [_name(what) for what in found]
    for name in sorted({name for name in names if names.count(name) > 1}):
        warn(f"{names.count(name)} keys are called {name!r}, so no file can say which. They are left out.")
    return [what for what in found if not (isinstance(what, DeclaredKeyLimits) and names.count(_name(what)) > 1)]
