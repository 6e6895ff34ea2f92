"""The command line: `coldstart …`."""

from importlib.metadata import version
from typing import Annotated

import typer

from coldstart.commands import (
    apply,
    backup,
    console,
    deadletters,
    deploy,
    deployments,
    env,
    eta,
    events,
    get,
    instances,
    keys,
    logs,
    machine_images,
    models,
    orgs,
    presence,
    provider,
    purge,
    read_model,
    resolve,
    stack,
    top,
    usage,
)
from coldstart.commands.context import warn
from shared.environment import unknown

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Launch GPU inference instances: give a model id and a GPU type, get an OpenAI-compatible endpoint.",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"coldstart {version('coldstart')}")
        raise typer.Exit


@app.callback()
def _every_command(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Runs before every command."""
    for sentence in unknown():
        warn(sentence)


app.command()(stack.up)
app.command()(presence.status)
app.command()(presence.down)
app.command()(stack.demo)
app.command()(console.console)
app.command()(stack.doctor)
app.command()(read_model.rebuild)
app.command()(read_model.verify)
app.command()(read_model.compact)
app.command()(read_model.accept_loss)
app.command()(deploy.deploy)
app.command()(apply.apply)
app.command()(get.get)
app.command()(provider.instance_types)
app.command()(provider.costs)
app.command()(provider.reconcile)
app.command()(usage.usage)
app.command()(resolve.resolve)
app.command()(eta.eta)
app.command()(top.top)
app.command()(stack.ssh_key)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(purge.purge)
app.command()(env.env)
instances.app.command()(logs.logs)
app.add_typer(instances.app, name="instances")
app.add_typer(deployments.app, name="deployments")
app.add_typer(events.app, name="events")
app.add_typer(keys.app, name="keys")
app.add_typer(orgs.app, name="orgs")
app.add_typer(deadletters.app, name="deadletters")
app.add_typer(models.app, name="models")
app.add_typer(machine_images.app, name="machine-images")

if __name__ == "__main__":
    app()
