"""`coldstart machine-images`: the images that launches boot from."""

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from coldstart.commands.asking import Yes, ask
from coldstart.commands.context import Json, api, given, name_in_address, non_empty, print_json, print_table, say
from coldstart.commands.naming import BEGINNING
from coldstart.money import money

app = typer.Typer(no_args_is_help=True, help="Images of prepared machines, from which launches boot sooner.")


@app.command()
def build(  # noqa: PLR0913 - each option is an argument
    *,
    instance_type: Annotated[str, typer.Option("--type", help="For launches of this type.", callback=non_empty)],
    zone: Annotated[str | None, typer.Option(help="For launches in this zone.", callback=non_empty)] = None,
    provider: Annotated[str | None, typer.Option(help="Of this provider.", callback=non_empty)] = None,
    image: Annotated[str | None, typer.Option(help="The vLLM image. Default: the type's.", callback=non_empty)] = None,
    model: Annotated[str | None, typer.Option(help="Put its weights on the image, too.", callback=non_empty)] = None,
    revision: Annotated[str | None, typer.Option(help="Of the model's repository.", callback=non_empty)] = None,
    vllm_args: Annotated[
        list[str] | None,
        typer.Option("--vllm-arg", help="Of the launches that the model is compiled for, as there; repeatable."),
    ] = None,
    organization: Annotated[
        str | None, typer.Option(help="For launches of this organisation, if a model is on it.", callback=non_empty)
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an image on a machine of its own, which is released afterwards. It costs money while it runs."""
    body = given(
        instance_type=instance_type,
        zone=zone,
        provider=provider,
        image=image,
        model=model,
        revision=revision,
        vllm_args=vllm_args,
        organization=organization,
    )
    with api() as client:
        begun = client.post("/machine-images", body)
    if as_json:
        print_json(begun)
    else:
        say(f"{begun['build']}  building; 'coldstart instances watch {begun['build'][:BEGINNING]}' follows it")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List images and their builds, newest first."""
    with api() as client:
        images = list(client.pages("/machine-images"))
    if as_json:
        print_json(images)
        return
    columns = ("id", "state", "zone", "type", "vLLM image", "model", "size", "a month", "since", "")
    table = Table(*columns, box=None, pad_edge=False)
    for each in images:
        table.add_row(*_row(each))
    print_table(table)


@app.command()
def delete(
    image: Annotated[
        str, typer.Argument(help="The image's id from `coldstart machine-images list`.", callback=name_in_address)
    ],
    *,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Delete an image, once no launch needs it that has chosen it before."""
    ask(f"Delete {image}?", "No launch boots from it any more. This cannot be undone.", yes=yes)
    with api() as client:
        retired = client.delete(f"/machine-images/{image}")
    if as_json:
        print_json(retired)
    else:
        say(f"{image}  is deleted as soon as no launch needs it")


def _row(image: dict[str, Any]) -> tuple[Text | str, ...]:
    size = "" if image["size_gb"] is None else f"{image['size_gb']} GB"
    doing = f"{image['progress_percent']} % {image['doing']}" if image["state"] == "building" else image["doing"]
    named = (image["zone"], image["instance_type"], image["vllm_image"], image["model"])
    return (
        image["id"] or "",
        image["state"],
        *(Text(each or "") for each in named),
        size,
        money(image["monthly_price"], image["currency"]) or "",
        image["created_at"][:16].replace("T", " "),
        Text(doing),
    )
