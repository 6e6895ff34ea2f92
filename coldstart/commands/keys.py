"""`coldstart keys`: who may use this installation."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from coldstart.commands.asking import Yes, ask
from coldstart.commands.changes import changes
from coldstart.commands.context import Json, api, each_non_empty, given, non_empty, print_json, print_table, say
from coldstart.commands.naming import key_id

app = typer.Typer(no_args_is_help=True, help="Who may use this installation.")


class Role(StrEnum):
    ADMIN = "admin"
    USER = "user"


class Limit(StrEnum):
    """Named like the options that set them."""

    REQUESTS_PER_MINUTE = "requests-per-minute"
    TOKENS_PER_MINUTE = "tokens-per-minute"
    MAX_CONCURRENT = "max-concurrent"
    ALLOWED_MODELS = "allowed-models"


Key = Annotated[
    str, typer.Argument(help="The key's id from `coldstart keys list`, or its beginning.", callback=non_empty)
]
PerMinute = Annotated[int | None, typer.Option(min=1, help="At most this many.")]
MaxConcurrent = Annotated[int | None, typer.Option(min=1, help="At most this many requests at once.")]
AllowedModels = Annotated[
    list[str] | None,
    typer.Option("--allowed-model", help="Allow only this model name; repeatable.", callback=each_non_empty),
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.", callback=non_empty)],
    *,
    role: Annotated[
        Role, typer.Option(help="admin: may do everything. user: inference, and what its organisation owns.")
    ] = Role.USER,
    organization: Annotated[str | None, typer.Option(help="Its organisation's slug.", callback=non_empty)] = None,
    requests_per_minute: PerMinute = None,
    tokens_per_minute: PerMinute = None,
    max_concurrent: MaxConcurrent = None,
    allowed_models: AllowedModels = None,
    as_json: Json = False,
) -> None:
    """Create a key. It is shown only once."""
    body = given(
        name=name,
        role=role,
        organization=organization,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        max_concurrent=max_concurrent,
        allowed_models=allowed_models,
    )
    with api() as client:
        made = client.post("/api-keys", body)
    if as_json:
        print_json(made)
    else:
        say(made["key"])


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List keys, without their secrets."""
    with api() as client:
        keys = list(client.pages("/api-keys"))
    if as_json:
        print_json(keys)
        return
    table = Table("id", "begins with", "name", "role", "created", "limits", box=None, pad_edge=False)
    for key in keys:
        what = (key["id"][:8], key["prefix"], Text(key["name"]), key["role"], key["created_at"][:19])
        table.add_row(*what, Text(_limits(key)))
    print_table(table)


@app.command()
def update(
    key: Key,
    *,
    requests_per_minute: PerMinute = None,
    tokens_per_minute: PerMinute = None,
    max_concurrent: MaxConcurrent = None,
    allowed_models: AllowedModels = None,
    unlimited: Annotated[list[Limit] | None, typer.Option(help="Remove this limit; repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Change a key's limits; it takes effect within a second. Limits that are not named stay."""
    body = changes(
        unlimited,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        max_concurrent=max_concurrent,
        allowed_models=allowed_models,
    )
    with api() as client:
        changed = client.patch(f"/api-keys/{key_id(client, key)}", body)
    if as_json:
        print_json(changed)
    else:
        say(f"{changed['id']}  {changed['name']}  {_limits(changed) or 'no limits'}")


@app.command()
def revoke(key: Key, *, yes: Yes = False) -> None:
    """Revoke a key: it is refused from now on."""
    with api() as client:
        revoked = key_id(client, key)
        words = "Every request with it is refused from now on. This cannot be undone."
        ask(f"Revoke {revoked}?", words, yes=yes)
        client.delete(f"/api-keys/{revoked}")
    say(f"{revoked}  revoked")


def _limits(key: dict[str, Any]) -> str:
    """E.g. `60 requests a minute, 4 at once`; empty without limits."""
    units = {
        "requests_per_minute": "requests a minute",
        "tokens_per_minute": "tokens a minute",
        "max_concurrent": "at once",
    }
    limits = [f"{key[limit]} {unit}" for limit, unit in units.items() if key.get(limit) is not None]
    return ", ".join([*limits, *([f"only {' '.join(key['allowed_models'])}"] if key.get("allowed_models") else [])])
