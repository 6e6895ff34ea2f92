"""`coldstart keys`: who may use this installation."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from coldstart.commands.context import Json, api, given, non_empty, print_json, print_table, say
from coldstart.commands.naming import key_id

app = typer.Typer(no_args_is_help=True, help="Who may use this installation.")


class Role(StrEnum):
    ADMIN = "admin"
    USER = "user"


PerMinute = Annotated[int | None, typer.Option(min=1, help="No more than this.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.", callback=non_empty)],
    *,
    role: Annotated[
        Role, typer.Option(help="admin: everything; user: inference, and what its organisation has.")
    ] = Role.USER,
    organization: Annotated[str | None, typer.Option(help="Its organisation's slug.", callback=non_empty)] = None,
    requests_per_minute: PerMinute = None,
    tokens_per_minute: PerMinute = None,
    max_concurrent: Annotated[int | None, typer.Option(min=1, help="No more requests than this at once.")] = None,
    allowed_models: Annotated[
        list[str] | None, typer.Option("--allowed-model", help="Only this, as it is asked for; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key; it is shown this once."""
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
    """List keys, without the keys themselves."""
    with api() as client:
        keys = list(client.pages("/api-keys"))
    if as_json:
        print_json(keys)
        return
    table = Table("id", "begins with", "name", "role", "created", box=None, pad_edge=False)
    for key in keys:
        table.add_row(key["id"][:8], key["prefix"], Text(key["name"]), key["role"], key["created_at"][:19])
    print_table(table)


@app.command()
def revoke(
    key: Annotated[
        str,
        typer.Argument(help="The key's id, as in `coldstart keys list`, or its beginning.", callback=non_empty),
    ],
) -> None:
    """Refuse a key from now on."""
    with api() as client:
        revoked = key_id(client, key)
        client.delete(f"/api-keys/{revoked}")
    say(f"{revoked}  revoked")
