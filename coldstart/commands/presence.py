"""`coldstart status` and `down`: what runs in the data folder, what it costs, and how to stop it from any terminal."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import psutil
import typer
from rich.table import Table

from coldstart.commands.context import Json, complain, explained, print_json, print_table, say
from coldstart.leaving import goes_on, goes_on_unknown, line_of, simulation_pauses, stands
from coldstart.places import settings_file
from coldstart.settings import StackSettings, from_environment
from coldstart.stack.files import NoStack, Reach, find_reach
from coldstart.stack.obligations import Obligations, obligations
from coldstart.stack.present import Present, present, stack_process
from coldstart.stack.standing import by_the_hour
from coldstart.waiting import lasted
from coldstart_client.blocking.connection import Connection
from coldstart_client.errors import ApiError, ColdstartError
from coldstart_client.settings import Address
from shared.description import Description
from shared.lifecycle.instance import Instance

_ANSWER_S: Final = 5.0
_STOP_S: Final = 60.0
"""Longer than the services and the servers have together."""


def status(as_json: Json = False) -> None:
    """Show what runs here: the stack, its parts, its instances, and what costs money.

    Exit status 0 if the stack and all its parts run and the API is ready, else 1.
    """
    with explained():
        settings = from_environment(StackSettings)
        data_dir = settings.data_dir.absolute()
        here = present(data_dir)
        owed = asyncio.run(obligations(settings, data_dir, timeout_s=_ANSWER_S))
    reach = _reach(data_dir) if here else None
    why_not = _why_not_serving(here, reach)
    if as_json:
        print_json(_shown(data_dir, here, reach, owed, why_not))
    else:
        for line in _head(data_dir, here, reach, why_not):
            say(line)
        if here:
            print_table(_parts(here))
        for line in _costs(owed, reach, running=here is not None):
            say(line)
    raise typer.Exit(0 if why_not is None else 1)


def down(
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait until it has stopped.", min=0)] = _STOP_S,
) -> None:
    """Stop the stack of this data folder, and show what goes on costing money. It deletes nothing."""
    with explained():
        settings = from_environment(StackSettings)
        data_dir = settings.data_dir.absolute()
        process = stack_process(data_dir)
        if process is None:
            say(f"no stack runs in {data_dir}")
            return
        owed = asyncio.run(obligations(settings, data_dir, timeout_s=_ANSWER_S))
    try:
        process.terminate()
        process.wait(timeout)
    except psutil.AccessDenied:
        complain(f"process {process.pid} is another account's: stop it as that one.")
        raise typer.Exit(1) from None
    except psutil.TimeoutExpired:
        complain(f"process {process.pid} has not stopped within {timeout:g} s; it is still stopping.")
        raise typer.Exit(1) from None
    except psutil.NoSuchProcess:  # it has just ended by itself
        pass
    say(f"stopped the stack in {data_dir}")
    for line in _costs(owed, None, running=False):
        say(line)


def _reach(data_dir: Path) -> Reach | None:
    """None while it starts."""
    try:
        return find_reach(data_dir)
    except NoStack:
        return None


def _why_not_serving(here: Present | None, reach: Reach | None) -> str | None:
    """None if everything runs and the API is ready."""
    if here is None:
        return "no stack runs"
    if reach is None:
        return "the stack is starting or stopping"
    if ended := [part.name for part in here.parts if part.pid is None]:
        return f"{' and '.join(ended)} ended and will be started again"
    with Connection(Address(reach.api_url, reach.admin_key), timeout_s=_ANSWER_S, retries=0) as api:
        try:
            api.call("GET", "/readyz")
        except ApiError as refusal:
            return f"the API is not ready: {refusal.hint or refusal.message}"
        except ColdstartError as error:
            return f"the API does not answer: {error}"
    return None


def _head(data_dir: Path, here: Present | None, reach: Reach | None, why_not: str | None) -> Iterator[str]:
    if here is None:
        yield f"no stack runs in {data_dir}"
        yield _settings()
        return
    running = lasted((datetime.now(UTC) - here.since).total_seconds())
    yield f"stack      runs since {here.since.astimezone():%Y-%m-%d %H:%M:%S} ({running}), process {here.process.pid}"
    yield f"data       {data_dir}"
    yield _settings()
    if reach:
        yield f"api        {reach.api_url}"
        if reach.simulator_url:
            yield f"cloud      SIMULATED: no machine is rented, and answers are made up  ({reach.simulator_url})"
    yield f"serving    {'yes' if why_not is None else f'no: {why_not}'}"


def _settings() -> str:
    file = settings_file()
    return f"settings   {file}" if file.is_file() else f"settings   from the environment; there is no {file}"


def _parts(here: Present) -> Table:
    table = Table("part", "process", "since", "port", box=None, pad_edge=False)
    for part in here.parts:
        since = f"{part.since.astimezone():%Y-%m-%d %H:%M:%S}" if part.since else ""
        table.add_row(part.name, str(part.pid or "ended"), since, str(part.port or ""))
    return table


def _costs(owed: Obligations, reach: Reach | None, *, running: bool) -> list[str]:
    if owed.unknown:
        return goes_on_unknown(owed.unknown, owed.cloud or "the providers")
    if reach and reach.simulator_url:
        return [f"instances  {len(owed.instances)}, simulated: they cost nothing", *map(line_of, owed.instances)]
    if not owed.cloud:
        return simulation_pauses(owed.instances)
    return stands(owed.instances, owed.cloud) if running else goes_on(owed.instances, owed.cloud)


def _shown(
    data_dir: Path, here: Present | None, reach: Reach | None, owed: Obligations, why_not: str | None
) -> dict[str, Any]:
    parts = here.parts if here else ()
    simulated = bool(reach and reach.simulator_url)
    return {
        "data_dir": str(data_dir),
        "settings_file": str(settings_file()) if settings_file().is_file() else None,
        "running": here is not None,
        "serving": why_not is None,
        "why_not_serving": why_not,
        "pid": here.process.pid if here else None,
        "since": here.since.isoformat() if here else None,
        "api_url": reach.api_url if reach else None,
        "simulated": simulated,
        "parts": [
            {"name": part.name, "pid": part.pid, "since": part.since and part.since.isoformat(), "port": part.port}
            for part in parts
        ],
        "instances": None if owed.unknown else [_described(each) for each in owed.instances],
        "instances_unknown": owed.unknown,
        "cost_per_hour": None if owed.unknown else {} if simulated else by_the_hour(owed.instances),
    }


def _described(instance: Instance) -> dict[str, Any]:
    return Description.of(instance, datetime.now(UTC)).model_dump(mode="json")
