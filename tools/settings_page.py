"""docs/settings.md: every setting of every process, as its class declares it. `python -m tools.settings_page`."""

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from coldstart.settings import BackupSettings, MirrorSettings, StackSettings
from services.api.settings import ApiSettings
from services.health.settings import HealthSettings
from services.progress.settings import ProgressSettings
from services.provisioner.providers.registry import PROVIDERS
from services.provisioner.settings import ProvisionerSettings
from services.scaler.settings import ScalerSettings
from services.webhooks.settings import WebhooksSettings
from shared.environment import takes, variables

_SERVICES: Final[Mapping[str, type[BaseSettings]]] = {
    "api": ApiSettings,
    "provisioner": ProvisionerSettings,
    "health": HealthSettings,
    "progress": ProgressSettings,
    "scaler": ScalerSettings,
    "webhooks": WebhooksSettings,
}
_HEAD: Final = """\
<!-- Drawn from the code by `make docs`. -->
# Settings

Every setting is an environment variable. [Running](running.md#settings) explains the most important ones. `coldstart
up` passes its own environment on to the services that it starts.
"""


def page() -> str:
    everywhere = set.intersection(*({*kind.model_fields} for kind in _SERVICES.values()))
    parts = [_HEAD, _section("Every service", ApiSettings, everywhere)]
    parts += [_section(f"The {name}", kind, {*kind.model_fields} - everywhere) for name, kind in _SERVICES.items()]
    parts += [
        _section(f"Provider {each.name}: the provisioner", each.settings, {*each.settings.model_fields})
        for each in PROVIDERS
    ]
    parts.append(_section("`coldstart up`", StackSettings, {*StackSettings.model_fields}))
    parts.append(_section("Backups", BackupSettings, {*BackupSettings.model_fields}))
    parts.append(_section("A mirror of weights: the command line", MirrorSettings, {*MirrorSettings.model_fields}))
    return "\n".join(part for part in parts if part)


def _section(title: str, kind: type[BaseSettings], names: set[str]) -> str:
    rows = [_row(kind, name) for name in kind.model_fields if name in names]
    head = ["| variable | takes | default | |", "| --- | --- | --- | --- |"]
    return "\n".join([f"## {title}", "", *head, *rows, ""]) if rows else ""


def _row(kind: type[BaseSettings], name: str) -> str:
    info = kind.model_fields[name]
    named = ", ".join(f"`{each}`" for each in variables(kind, name))
    cells = (named, takes(info), _default(info), _said(kind, name))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    if info.default_factory_takes_validated_data:
        return "by the others"
    return _shown(info, info.get_default(call_default_factory=True))


def _shown(info: FieldInfo, value: Any) -> str:
    match value:
        case None | "" | ():
            return "none"
        case Path() if value.is_absolute():
            return "by the machine"
        case SecretStr():
            return "a secret"
        case _:
            return f"`{_written(info, value)}`"


def _written(info: FieldInfo, value: Any) -> str:
    """As the variable would have it."""
    match value:
        case True | False:
            return str(value).lower()
        case tuple() if "JSON" in takes(info):
            return json.dumps(list(map(str, value)))
        case tuple():
            return ",".join(map(str, value))
        case float() if value.is_integer():
            return f"{value:.0f}"
        case _:
            return str(value)


def _said(kind: type[BaseSettings], name: str) -> str:
    """The text below the field's declaration, as one paragraph."""
    for owner in kind.__mro__:
        if name in vars(owner).get("__annotations__", {}):
            return " ".join(_texts(owner).get(name, "").split())
    return ""


@cache
def _texts(owner: type) -> Mapping[str, str]:
    return dict(_declared(ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]))


def _declared(owner: ast.AST) -> Iterator[tuple[str, str]]:
    body = owner.body if isinstance(owner, ast.ClassDef) else []
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, said


if __name__ == "__main__":
    sys.stdout.write(page())
