"""`coldstart up` and what looks after a stack: demo, doctor, rebuild."""

import asyncio
import os
import signal
import subprocess
import sys
from typing import Annotated

import typer

from coldstart.commands.context import err, explained, out
from coldstart.demo import demo as run_demo
from coldstart.doctor import examine
from coldstart.embedded.errors import EmbeddedServerError
from coldstart.settings import ClientSettings, StackSettings
from coldstart.stack.files import find_reach
from coldstart.stack.processes import ServiceFailed
from coldstart.stack.stack import PortTaken, Stack, stack
from shared.logs import configure_logs

_REFUSALS = (PortTaken, ServiceFailed, EmbeddedServerError)


def up() -> None:
    """Start the whole stack on this machine and leave it running until Ctrl-C.

    With Scaleway's SCW_ variables set it provisions there, else in a simulated cloud.
    """
    configure_logs("stack", "warning", "console")
    try:
        asyncio.run(_until_told(StackSettings()))
    except _REFUSALS as refusal:
        err.print(str(refusal), style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None


def demo(
    keep: Annotated[bool, typer.Option(help="Keep the demo's data folder and say where it is.")] = False,
) -> None:
    """Launch an instance in a simulated cloud, chat with it, terminate it, and check that nothing is left."""
    configure_logs("demo", "warning", "console")
    try:
        passed = asyncio.run(run_demo(out, keep=keep))
    except _REFUSALS as refusal:
        err.print(str(refusal), style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if passed else 1)


def doctor() -> None:
    """Say what this machine lacks to run the stack; exit status 1 when something essential is missing."""
    findings = examine(StackSettings())
    for finding in findings:
        mark, style = ("ok", "green") if finding.fine else ("missing" if finding.essential else "note", "yellow")
        out.print(f"[{style}]{mark:<8}[/] {finding.subject}: {finding.detail}", highlight=False)
    if any(finding.essential and not finding.fine for finding in findings):
        raise typer.Exit(1)


def rebuild() -> None:
    """Make the read model in PostgreSQL again from the stream, while events keep coming."""
    environment = dict(os.environ)
    if "COLDSTART_DATABASE_URL" not in environment or "COLDSTART_NATS_URL" not in environment:
        with explained():
            reach = find_reach(ClientSettings().data_dir)
        environment["COLDSTART_DATABASE_URL"] = reach.database_url
        environment["COLDSTART_NATS_URL"] = reach.nats_url
    done = subprocess.run([sys.executable, "-m", "services.progress", "rebuild"], env=environment, check=False)
    raise typer.Exit(done.returncode)


async def _until_told(settings: StackSettings) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    out.print("starting …")
    async with stack(settings) as running:
        _welcome(running, settings)
        await told.wait()
        out.print("stopping …")


def _welcome(running: Stack, settings: StackSettings) -> None:
    reach = running.reach
    out.print(f"api        {reach.api_url}", highlight=False)
    if running.new_key:
        out.print(
            f"admin key  {reach.admin_key}  (shown this once; kept in {settings.data_dir}/admin-key)", highlight=False
        )
    else:
        out.print(f"admin key  in {settings.data_dir}/admin-key", highlight=False)
    out.print(f"events     {reach.nats_url.partition('@')[2] or reach.nats_url}", highlight=False)
    out.print(
        f"cloud      {f'simulated, {reach.simulator_url}' if reach.simulator_url else 'Scaleway'}", highlight=False
    )
    out.print(f"logs       {settings.data_dir}/logs", highlight=False)
    out.print("Ctrl-C stops everything; what was recorded is kept.")
