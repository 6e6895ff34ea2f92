"""`coldstart up` and what looks after a stack: demo, doctor, rebuild."""

import asyncio
import signal
from contextlib import suppress
from typing import Annotated

import typer
from pydantic import SecretStr

from coldstart.api_client import Api
from coldstart.commands.console import sign_in_link
from coldstart.commands.context import explained, out, say
from coldstart.demo import demo as run_demo
from coldstart.doctor import examine
from coldstart.settings import CloudSettings, StackSettings, from_environment
from coldstart.stack.files import made_once
from coldstart.stack.stack import DataFolderUnusable, Stack, stack
from shared.logs import configure_logs
from shared.secrets import Secrets


def up() -> None:
    """Start the whole stack on this machine and leave it running until Ctrl-C.

    With Scaleway's SCW_ variables set it provisions there, with COLDSTART_MACHINES on machines of yours, with neither
    in a simulated cloud.
    """
    configure_logs("stack", "warning", "console")
    with explained():
        asyncio.run(_until_told(from_environment(StackSettings)))


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep the demo's data folder and say where it is.")] = False,
) -> None:
    """Launch an instance in a simulated cloud, chat with it, terminate it, and check that nothing is left."""
    configure_logs("demo", "warning", "console")
    with explained():
        passed = asyncio.run(run_demo(out, keep=keep))
    raise typer.Exit(0 if passed else 1)


def doctor() -> None:
    """Say what this machine lacks to run the stack; exit status 1 when something essential is missing."""
    with explained():
        findings = examine(from_environment(StackSettings))
    for finding in findings:
        mark, style = ("ok", "green") if finding.fine else ("missing" if finding.essential else "note", "yellow")
        out.print(f"[{style}]{mark:<8}[/] {finding.subject}: {finding.detail}", highlight=False)
    if any(finding.essential and not finding.fine for finding in findings):
        raise typer.Exit(1)


def ssh_key() -> None:
    """Print the public key that this installation signs in to its machines with, for /root/.ssh/authorized_keys."""
    with explained():
        settings = from_environment(StackSettings)
        try:
            secret = settings.master_secret or SecretStr(made_once(settings.data_dir.absolute(), "master-secret")[0])
        except OSError as error:
            raise DataFolderUnusable(error) from error
    key = Secrets(secret.get_secret_value()).ssh_client_key()
    typer.echo(f"{key.public} coldstart")


async def _until_told(settings: StackSettings) -> None:
    """A first signal stops the stack, also one that is still starting; further ones do not hurry it."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    ending = asyncio.create_task(told.wait())
    serving = asyncio.create_task(_serve(settings, told))
    await asyncio.wait({ending, serving}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if not serving.done():
        say("stopping …")
        serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def _serve(settings: StackSettings, told: asyncio.Event) -> None:
    say("starting …")
    cloud = from_environment(CloudSettings).names
    async with stack(settings, simulated=not cloud) as running:
        if told.is_set():  # a client library may swallow a cancellation that comes while it connects
            return
        _welcome(running, settings, cloud, await asyncio.to_thread(_sign_in_link, running))
        await running.broken()


def _sign_in_link(running: Stack) -> str:
    with Api(running.reach.api_url, running.reach.admin_key) as client:
        return sign_in_link(client)


def _welcome(running: Stack, settings: StackSettings, cloud: str, link: str) -> None:
    reach = running.reach
    say(f"api        {reach.api_url}")
    say(f"console    {link}  (signs in once, for ten minutes; another: coldstart console)")
    if running.new_key:
        say(f"admin key  {reach.admin_key}  (shown this once; kept in {settings.data_dir}/admin-key)")
    elif settings.admin_key is None:
        say(f"admin key  in {settings.data_dir}/admin-key")
    else:
        say("admin key  as in COLDSTART_ADMIN_KEY")
    say(f"events     {reach.nats_url.partition('@')[2] or reach.nats_url}")
    say(f"cloud      {f'simulated, {reach.simulator_url}' if reach.simulator_url else cloud}")
    say(f"logs       {settings.data_dir}/logs")
    say("Ctrl-C stops everything; what was recorded is kept.")
