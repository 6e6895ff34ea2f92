"""The command line: `coldstart …`."""

import typer

from coldstart.commands import console, eta, events, instances, keys, orgs, provider, stack

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="GPU inference instances: a model id and a GPU type go in, an OpenAI-compatible endpoint comes out.",
)
app.command()(stack.up)
app.command()(stack.demo)
app.command()(console.console)
app.command()(stack.doctor)
app.command()(stack.rebuild)
app.command()(provider.instance_types)
app.command()(provider.costs)
app.command()(provider.reconcile)
app.command()(eta.eta)
app.command()(stack.ssh_key)
app.add_typer(instances.app, name="instances")
app.add_typer(events.app, name="events")
app.add_typer(keys.app, name="keys")
app.add_typer(orgs.app, name="orgs")

if __name__ == "__main__":
    app()
