"""`coldstart models`: the models that can be served."""

from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from coldstart.commands.asking import Yes, ask
from coldstart.commands.context import Json, api, given, non_empty, print_json, print_table, say, warn
from coldstart.commands.provider import price
from coldstart.commands.wrong_fields import told_by_option

_GB: Final = 1e9

app = typer.Typer(no_args_is_help=True, help="The models that can be served.")


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
        typer.Argument(help="A model id on the Hugging Face hub, e.g. Qwen/Qwen2.5-0.5B-Instruct.", callback=non_empty),
    ],
    *,
    task: Annotated[
        str | None, typer.Option(help="What it is for: generate or embed. Default: as the hub says.")
    ] = None,
    trust_remote_code: Annotated[
        bool | None,
        typer.Option(
            "--trust-remote-code/--no-trust-remote-code",
            help="Whether its workers may run code from its repository; read that code first.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look a model up on the hub and add it to the catalogue. Creating an instance of it does the same."""
    with api() as client:
        added = client.post("/models", given(model=model, task=task, trust_remote_code=trust_remote_code))
    if as_json:
        print_json(added)
    else:
        say(f"{added['id']}  {added['model']}  {added['task']}")


@app.command()
def remove(
    model: Annotated[str, typer.Argument(help="Its id on the hub, or its UUID.", callback=non_empty)],
    *,
    yes: Yes = False,
) -> None:
    """Remove a model without instances from the catalogue. An offering that it shadowed answers again."""
    with api() as client:
        found = next((one for one in client.pages("/models") if model in (one["id"], one["model"])), None)
        if found is None:
            raise typer.BadParameter(f"{model!r} is not in the catalogue; see `coldstart models list`.")
        words = "An offering that it shadowed answers again. It returns when an administrator adds or launches it."
        ask(f"Remove {found['model']} from the catalogue?", words, yes=yes)
        client.delete(f"/models/{found['id']}")
    say(f"{found['model']}  removed")


@app.command()
def mirror(
    model: Annotated[str, typer.Argument(help="A model id on the Hugging Face hub.", callback=non_empty)],
    *,
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit. Default: its main branch.", callback=non_empty)
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy a model's weights from the hub into the mirror of COLDSTART_WEIGHTS_MIRROR, or what is missing of them."""
    from coldstart.commands.mirroring import mirror_model  # noqa: PLC0415  the hub's and S3's clients load slowly

    manifest = mirror_model(model, revision)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    gigabytes = sum(file.bytes for file in manifest.files) / _GB
    say(f"{manifest.model}  {manifest.commit}  {len(manifest.files)} files, {gigabytes:.2f} GB")


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Words of a model's id, e.g. 'qwen 7b'.", callback=non_empty)],
    limit: Annotated[
        int, typer.Option(min=1, max=50, help="At most this many from the catalogue, and from the hub.")
    ] = 20,
    organization: Annotated[
        str | None, typer.Option(help="Include the offerings of the organisation with this slug.", callback=non_empty)
    ] = None,
    as_json: Json = False,
) -> None:
    """Find models to launch: in the catalogue, then on the Hugging Face hub, most downloaded first."""
    with api() as client:
        found = client.get("/models/search", q=text, limit=limit, organization=organization)
    if found["hub"]["detail"]:
        warn(found["hub"]["detail"])
    if as_json:
        print_json(found)
        return
    if not found["items"]:
        say("No model matches these words.")
        return
    table = Table("model", "where", "task", "parameters", "weights", "downloads", "", box=None, pad_edge=False)
    for name in ("parameters", "weights", "downloads"):
        next(column for column in table.columns if column.header == name).justify = "right"
    for model in found["items"]:
        table.add_row(*_row(model))
    print_table(table)


@app.command()
def fit(
    model: Annotated[str, typer.Argument(help="Its id on the hub, or the name of an offering.", callback=non_empty)],
    *,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the model on the hub.")] = None,
    image: Annotated[str | None, typer.Option(help="The vLLM image to run. Default: the configured one.")] = None,
    vllm_args: Annotated[
        list[str] | None, typer.Option("--vllm-arg", help="An option of vLLM, e.g. --max-model-len=8192; repeatable.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="generate or embed. Default: as the hub says.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only types of this provider.", callback=non_empty)] = None,
    organization: Annotated[str | None, typer.Option(help="Whose offerings count (slug).", callback=non_empty)] = None,
    as_json: Json = False,
) -> None:
    """Show which instance types MODEL fits, and with how long a context. Nothing is ordered."""
    fields = {"revision": revision, "image": image, "vllm_args": vllm_args, "task": task, "provider": provider}
    body = given(model=model, organization=organization, **fields)
    with api() as client, told_by_option(body, {"model": "MODEL", "vllm_args": "--vllm-arg"}):
        found = client.post("/models/fit", body)
    if as_json:
        print_json(found)
        return
    for words in (*found["why_not"], *found["warnings"]):
        warn(words)
    table = Table("type", "fits", "GPUs used", "context", "requests", "per hour", "", box=None, pad_edge=False)
    for column in table.columns[2:6]:
        column.justify = "right"
    for kind in found["items"]:
        table.add_row(*_fit_row(kind))
    print_table(table)


def _fit_row(kind: dict[str, Any]) -> list[Text | str]:
    context, requests = kind["context"], kind["requests"]
    return [
        Text(kind["instance_type"]),
        kind["fits"],
        str(kind["gpus"]),
        "" if context is None else f"{context:,}",
        "" if requests is None else f"{requests:,}",
        price(kind),
        Text(kind["why"] or ""),
    ]


def _row(model: dict[str, Any]) -> list[Text | str]:
    parameters, loaded, downloads = model["parameters"], model["loaded_gb"], model["downloads"]
    notes = [model["offering_of"] and f"is {model['offering_of']}", model["gated"] and "gated", model["why"]]
    return [
        Text(model["model"], style="" if model["usable"] else "dim"),
        "catalogue" if model["in_catalogue"] else "hub",
        model["task"] or "",
        "" if parameters is None else _billions(parameters),
        "" if loaded is None else f"{loaded:.1f} GB",
        "" if downloads is None else f"{downloads:,}",
        Text(": ".join(note for note in notes if note)),
    ]


def _billions(number: int) -> str:
    billions = number / _GB
    return f"{billions:.0f} B" if billions >= 10 else f"{billions:.2g} B"  # noqa: PLR2004  two digits
