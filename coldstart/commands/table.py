"""Every command and where it is, so that one is loaded only to be run.

Loading all of them takes a second of processor time. `help` is the first line of the command's own help.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


@dataclass(frozen=True)
class Entry:
    """A function, or the Typer application of a group, in a module of `coldstart.commands`."""

    module: str
    attribute: str
    help: str

    def load(self) -> Any:
        return getattr(import_module(f"coldstart.commands.{self.module}"), self.attribute)


COMMANDS: Final[Mapping[str, Entry]] = {
    "up": Entry("stack", "up", "Start the whole stack on this machine and leave it running until Ctrl-C."),
    "status": Entry(
        "presence", "status", "Show what runs here: the stack, its parts, its instances, and what costs money."
    ),
    "down": Entry(
        "presence",
        "down",
        "Stop the stack of this data folder, and show what goes on costing money. It deletes nothing.",
    ),
    "demo": Entry(
        "stack",
        "demo",
        "Launch an instance in a simulated cloud, chat with it, terminate it, and check that nothing is left.",
    ),
    "console": Entry(
        "console",
        "console",
        "Print a link that signs in to the console once, within ten minutes. Needs an administrator's key.",
    ),
    "doctor": Entry(
        "stack",
        "doctor",
        "Show what this machine lacks to run the stack; exit status 1 if something essential is missing.",
    ),
    "rebuild": Entry(
        "read_model", "rebuild", "Rebuild the read model in PostgreSQL from the stream. Events may keep coming."
    ),
    "verify": Entry(
        "read_model",
        "verify",
        "Compare every snapshot in the stream and every row in PostgreSQL with the facts; exit status 1 if any differ.",
    ),
    "compact": Entry(
        "read_model",
        "compact",
        "Move the histories of instances that ended long ago out of the stream, into the archive.",
    ),
    "accept-loss": Entry(
        "read_model",
        "accept_loss",
        "Accept that a lost database took keys, organisations, offerings and usage with it, and end the warnings.",
    ),
    "deploy": Entry(
        "deploy",
        "deploy",
        "Serve MODEL by as many replicas as its load needs. Of a deployment of this name, change what is named.",
    ),
    "apply": Entry(
        "apply",
        "apply",
        "Create and change models, organisations, offerings, limits of keys and deployments, as files declare them.",
    ),
    "get": Entry(
        "get", "get", "Write what there is in the form that `coldstart apply` takes. Of keys, their limits only."
    ),
    "instance-types": Entry(
        "provider", "instance_types", "List what can be rented, with prices per hour and availability."
    ),
    "costs": Entry(
        "provider", "costs", "Show what the servers have cost at list price, by organisation and day (UTC)."
    ),
    "reconcile": Entry("provider", "reconcile", "Compare what the providers hold with the journal, now."),
    "usage": Entry("usage", "usage", "Show requests and tokens. Days are in UTC. Default: the last thirty days."),
    "audit": Entry("audit", "audit", "Show who asked for what, newest first."),
    "resolve": Entry(
        "resolve",
        "resolve",
        "Show what a model's name means to this key, and what would answer or wake; exit status 1 if nothing.",
    ),
    "eta": Entry("eta", "eta", "Show when each starting instance will be ready."),
    "top": Entry(
        "top", "top", "Show the whole fleet on one screen, live until Ctrl-C. In a pipe, or with --json, show it once."
    ),
    "ssh-key": Entry(
        "stack",
        "ssh_key",
        "Print the public key with which this installation signs in to machines, for /root/.ssh/authorized_keys.",
    ),
    "backup": Entry(
        "backup", "backup", "Back up this installation into one encrypted file, whether or not the stack runs."
    ),
    "restore": Entry(
        "backup", "restore", "Restore a backup into an empty data folder, or into empty servers. It starts nothing."
    ),
    "purge": Entry("purge", "purge", "Delete the data folder: the journal, the tables, the keys, the simulated cloud."),
    "completion": Entry(
        "completion", "completion", 'Print the completion of a shell: eval "$(coldstart completion bash)".'
    ),
    "env": Entry("env", "env", 'Print the running stack\'s addresses for a shell: eval "$(coldstart env)".'),
    "instances": Entry("instances", "app", "Create, look at, and end instances."),
    "deployments": Entry("deployments", "app", "Endpoints that stay: look at them, scale, pause, roll back, end them."),
    "events": Entry("events", "app", "Everything that happens, as it happens."),
    "keys": Entry("keys", "app", "Who may use this installation."),
    "orgs": Entry("orgs", "app", "The teams that share this installation."),
    "webhooks": Entry("webhooks", "app", "Addresses that get events as signed HTTP requests."),
    "deadletters": Entry("deadletters", "app", "Messages that could not be handled."),
    "models": Entry("models", "app", "The models that can be served."),
    "machine-images": Entry("machine_images", "app", "Images of prepared machines, from which launches boot sooner."),
}


class LazyCommands(TyperGroup):
    """The commands of the table. Lists of them are made from the table alone."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, entry in COMMANDS.items():
            self.add_command(TyperCommand(name, help=entry.help))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, found, rest = super().resolve_command(ctx, args)
        return name, loaded(name) if found and name else found, rest


def loaded(name: str) -> Any:
    """The command or group itself, ready to be run."""
    what = COMMANDS[name].load()
    if not isinstance(what, typer.Typer):
        alone = typer.Typer(add_completion=False)
        alone.command(name)(what)
        return get_command(alone)
    group = get_group(what)
    group.name = name
    return group
