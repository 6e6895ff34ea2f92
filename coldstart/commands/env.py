"""`eval "$(coldstart env)"`: the variables that other programs need to use the stack in the data folder."""

import shlex
from typing import Annotated

import typer

from coldstart.client_settings import client_settings
from coldstart.commands.context import complain, explained
from coldstart.stack.files import find_reach


def env(
    *,
    admin_key: Annotated[
        bool,
        typer.Option(
            "--admin-key", help="Also print COLDSTART_API_KEY, the administrator's key, which may do everything."
        ),
    ] = False,
) -> None:
    """Print the running stack's addresses for a shell: eval "$(coldstart env)".

    NATS_URL can only read events (docs/events.md). No key is printed without --admin-key.
    """
    with explained():
        reach = find_reach(client_settings().data_dir)
    variables = {"COLDSTART_API_URL": reach.api_url}
    if reach.follower_nats_url is None:
        complain("COLDSTART_NATS_URL is your own server: see docs/running.md for how followers get a user on it.")
    else:
        variables["NATS_URL"] = reach.follower_nats_url
    if admin_key:
        variables["COLDSTART_API_KEY"] = reach.admin_key
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
