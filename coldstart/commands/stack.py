"""`coldstart up`, `demo`, `doctor` and `ssh-key`."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Final

import typer
from rich.text import Text

from coldstart.api_client import Api
from coldstart.clouds import changes
from coldstart.commands.console import sign_in_link
from coldstart.commands.context import explained, out, say
from coldstart.demo import demo as run_demo
from coldstart.doctor import examine
from coldstart.how_to_call import program
from coldstart.leaving import found_standing, goes_on, goes_on_unknown, simulation_pauses
from coldstart.providers import names, providers
from coldstart.settings import StackSettings, from_environment
from coldstart.slow_steps import telling_slow_steps
from coldstart.stack.files import MASTER_SECRET, NoInstallation, stored
from coldstart.stack.retention import compact_once, compacting_daily
from coldstart.stack.scenarios import SMALL, Name, Played, played
from coldstart.stack.stack import NotSimulated, Stack, master_secret, stack
from coldstart.stack.standing import JournalUnreadable, standing
from shared.logs import configure_logs
from shared.secrets import Secrets

LEAVING_S: Final = 5.0
"""How long a start and a stop wait until the journal says which instances exist."""


def up(
    realistic: Annotated[
        bool,
        typer.Option(
            "--realistic", help="The simulated machines take a real one's time, shortened: a launch takes two minutes."
        ),
    ] = False,
    scenario: Annotated[
        Name | None, typer.Option(help="What the simulated cloud does: how a launch fails, and what is done about it.")
    ] = None,
) -> None:
    """Start the whole stack on this machine and leave it running until Ctrl-C.

    If Scaleway's SCW_ variables are set, it launches there. If COLDSTART_MACHINES is set, it launches on your own
    machines. With neither, it uses a simulated cloud.
    """
    configure_logs("stack", "warning", "console")
    with explained():
        simulation = played(scenario, realistic=realistic)
        if simulation and (cloud := names()):
            raise NotSimulated(cloud)
        asyncio.run(_until_signalled(from_environment(StackSettings), simulation))


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep the demo's data folder and print where it is.")] = False,
) -> None:
    """Launch an instance in a simulated cloud, chat with it, terminate it, and check that nothing is left."""
    configure_logs("demo", "warning", "console")
    with explained():
        passed = asyncio.run(run_demo(out, keep=keep))
    raise typer.Exit(0 if passed else 1)


def doctor() -> None:
    """Show what this machine lacks to run the stack; exit status 1 if something essential is missing."""
    with explained():
        diagnoses = examine(from_environment(StackSettings))
    for diagnosis in diagnoses:
        mark, style = ("ok", "green") if diagnosis.fine else ("missing" if diagnosis.essential else "note", "yellow")
        out.print(Text.assemble((f"{mark:<8}", style), f" {diagnosis.subject}: {diagnosis.detail}"))
    if any(diagnosis.essential and not diagnosis.fine for diagnosis in diagnoses):
        raise typer.Exit(1)


def ssh_key(
    new: Annotated[
        bool, typer.Option("--new", help="Make the secret of an installation that was never started.")
    ] = False,
) -> None:
    """Print the public key with which this installation signs in to machines, for /root/.ssh/authorized_keys."""
    with explained():
        settings = from_environment(StackSettings)
        data_dir = settings.data_dir.absolute()
        given = settings.master_secret.get_secret_value() if settings.master_secret else stored(data_dir, MASTER_SECRET)
        if given is None and new:
            given = master_secret(settings, data_dir)
        if given is None:
            raise NoInstallation(data_dir)
    typer.echo(f"{Secrets(given).ssh_client_key().public} coldstart")


async def _until_signalled(settings: StackSettings, simulation: Played | None) -> None:
    """The first signal stops the stack, even while it is starting. Further signals do not hurry it."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ending = asyncio.create_task(stop.wait())
    serving = asyncio.create_task(_serve(settings, stop, simulation))
    await asyncio.wait({ending, serving}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if not serving.done():
        say("stopping …")
        serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def _serve(settings: StackSettings, stop: asyncio.Event, simulation: Played | None) -> None:
    say("starting …")
    cloud = names()
    served, began_at = False, datetime.now(UTC)
    try:
        async with _started(settings, stop, simulation, simulated=not cloud) as running:
            if stop.is_set():  # a client library may swallow a cancellation that comes while it connects
                return
            link = await asyncio.to_thread(_sign_in_link, running)
            if cloud:
                await _say_what_stands(running.reach.nats_url)
            _welcome(running, settings, cloud, link, simulation)
            served = True
            compacting = partial(compact_once, running.reach, settings.data_dir.absolute())
            beside = [_say_how_clouds_are(running, began_at), compacting_daily(compacting)]
            tasks = [asyncio.create_task(each) for each in beside]
            try:
                await running.broken()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                await _say_what_goes_on(running.reach.nats_url, cloud)
    finally:
        if cloud and stop.is_set() and not served:
            for line in goes_on_unknown("the stack was still starting", cloud):
                say(line)


@asynccontextmanager
async def _started(
    settings: StackSettings, stop: asyncio.Event, simulation: Played | None, *, simulated: bool
) -> AsyncGenerator[Stack]:
    """Says what a slow start is waiting for, until it is told to stop."""
    async with AsyncExitStack() as cleanup:
        with telling_slow_steps(lambda line: None if stop.is_set() else say(line)) as begin:
            scenario = simulation.scenario.model_dump_json() if simulation else None
            anonymous = simulation is not None and simulation.anonymous
            starting = stack(settings, simulated=simulated, scenario=scenario, anonymous=anonymous, begin=begin)
            running = await cleanup.enter_async_context(starting)
        yield running


async def _say_how_clouds_are(running: Stack, began_at: datetime) -> None:
    configured = providers()
    if not configured:
        return
    with Api(running.reach.api_url, running.reach.admin_key) as client:
        async for line in changes(client, configured, began_at):
            say(f"cloud      {line}")


async def _say_what_stands(nats_url: str) -> None:
    """Also after a crash of this stack, which the machines did not notice."""
    with suppress(JournalUnreadable):  # the services would not serve either, and the stack says so itself
        for line in found_standing(await standing(nats_url, timeout_s=LEAVING_S)):
            say(line)


async def _say_what_goes_on(nats_url: str, cloud: str) -> None:
    try:
        instances = await standing(nats_url, timeout_s=LEAVING_S)
    except JournalUnreadable as error:
        lines = goes_on_unknown(f"the journal cannot be read: {error}", cloud) if cloud else []
    else:
        lines = goes_on(instances, cloud) if cloud else simulation_pauses(instances)
    for line in lines:
        say(line)


def _sign_in_link(running: Stack) -> str:
    with Api(running.reach.api_url, running.reach.admin_key) as client:
        return sign_in_link(client)


def _welcome(running: Stack, settings: StackSettings, cloud: str, link: str, simulation: Played | None = None) -> None:
    reach = running.reach
    say(f"api        {reach.api_url}")
    say(f"console    {link}  (signs in once, within ten minutes; for another: {program()} console)")
    if running.new_key:
        say(f"admin key  {reach.admin_key}  (shown only now; kept in {settings.data_dir}/admin-key)")
    elif settings.admin_key is None:
        say(f"admin key  in {settings.data_dir}/admin-key")
    else:
        say("admin key  as in COLDSTART_ADMIN_KEY")
    say(f"events     {reach.nats_url.partition('@')[2] or reach.nats_url}")
    simulated = f"SIMULATED: no machine is rented, and answers are made up  ({reach.simulator_url})"
    say(f"cloud      {simulated if reach.simulator_url else cloud}")
    if settings.worker_tls == "off":
        say("workers    WITHOUT TLS (COLDSTART_WORKER_TLS=off): what is sent to them can be read on the way")
    new = "  (a new installation)" if running.new_key else ""
    say(f"data       {settings.data_dir.absolute()}{new}")
    say(f"logs       {settings.data_dir}/logs")
    if simulation:
        say(f"scenario   {simulation.about}")
    model = simulation.model if simulation else SMALL
    launch = f"{model} --type L4-1-24G" if reach.simulator_url else model
    say(f"next       {program()} instances create {launch} --watch  (here, in another terminal)")
    say("Ctrl-C stops everything; what was recorded is kept.")
