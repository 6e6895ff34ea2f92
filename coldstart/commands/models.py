"""`coldstart models`: what may be served."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from coldstart.commands.context import Json, api, non_empty, print_json, print_table, say

app = typer.Typer(no_args_is_help=True, help="What may be served.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the catalogue, newest first."""
    with api() as client:
        models = list(client.pages("/models"))
    if as_json:
        print_json(models)
        return
    table = Table("model", "task", "gated", "added", box=None, pad_edge=False)
    for model in models:
        table.add_row(Text(model["model"]), model["task"], "yes" if model["gated"] else "", model["created_at"][:19])
    print_table(table)


@app.command()
def add(
    model: Annotated[
        str,
        typer.Argument(help="A model id of the Hugging Face hub, as Qwen/Qwen2.5-0.5B-Instruct.", callback=non_empty),
    ],
    as_json: Json = False,
) -> None:
    """Look a model up on the hub and add it to the catalogue; asking for an instance of it does the same."""
    with api() as client:
        added = client.post("/models", {"model": model})
    if as_json:
        print_json(added)
    else:
        say(f"{added['id']}  {added['model']}  {added['task']}")
