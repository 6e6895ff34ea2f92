"""`coldstart deadletters`: the messages that nobody could handle."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import nats
import typer
from nats.errors import Error as NatsError
from rich.table import Table
from rich.text import Text

from coldstart.commands.asking import Yes, ask
from coldstart.commands.context import Json, complain, explained, print_json, print_table, say
from coldstart.commands.read_model import progress, servers
from shared.bus.dead_letters import DeadLetters, Letter
from shared.bus.topology import TRIGGERS
from shared.journal.envelope import Undecodable, decode

_PROJECTOR: Final = "progress"
_CONNECT_S: Final = 5
_REFUSED: Final = (NatsError, OSError)
_HELD: Final = frozenset(trigger.durable for trigger in TRIGGERS)

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Messages that nobody could handle, and that wait for you.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List them, the oldest first, with why they could not be handled."""
    letters = _with_letters(_all)
    if as_json:
        print_json([_shown(letter) for letter in letters])
        return
    table = Table("#", "since", "consumer", "subject", "origin", "reason", box=None, pad_edge=False)
    for letter in letters:
        since = letter.at.isoformat()[:19]
        table.add_row(str(letter.number), since, letter.consumer, letter.subject, letter.origin, Text(letter.reason))
    print_table(table)


@app.command()
def replay(
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="[NUMBER]...", help="As `coldstart deadletters list` shows them.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Each that there is.")] = False,
    yes: Yes = False,
) -> None:
    """Have messages handled again by whom they came from; exit status 1 if one still cannot be.

    Those of the provisioner and of health are handed back, and held as any work; those of progress are projected now.
    """
    if every == bool(numbers):
        raise typer.BadParameter("give numbers, or --all.")
    letters = [letter for letter in _with_letters(_all) if every or letter.number in (numbers or ())]
    for number in sorted(set(numbers or ()) - {letter.number for letter in letters}):
        complain(f"{number}  there is no such dead letter")
    if every and letters:
        words = "What they ask for is done now: instances may be launched, installed again or released."
        ask(f"Replay {len(letters)} dead letters?", words, yes=yes)
    handled = [_replayed(letter) for letter in letters]
    if not all(handled) or len(letters) < len(set(numbers or ())):
        raise typer.Exit(1)


def _replayed(letter: Letter) -> bool:
    """Whether its consumer has it, and it is a dead letter no more."""
    why_not = _why_not(letter)
    if why_not is None and letter.consumer == _PROJECTOR:
        with explained():
            if progress("replay", str(letter.sequence)):
                return False
        _with_letters(lambda letters: letters.remove(letter))
    elif why_not is None:
        _with_letters(lambda letters: letters.hand_back(letter))
    else:
        complain(f"{letter.number}  {why_not}")
        return False
    say(f"{letter.number}  {letter.subject}  to {letter.consumer}")
    return True


def _why_not(letter: Letter) -> str | None:
    """What would only come back is not sent at all."""
    if letter.consumer not in (_PROJECTOR, *_HELD):
        return f"nobody is called {letter.consumer}"
    try:
        decode(letter.data, letter.sequence, letter.at)
    except (Undecodable, ValueError) as error:
        return f"still cannot be read: {error}"
    return None


async def _all(letters: DeadLetters) -> list[Letter]:
    return [letter async for letter in letters]


def _with_letters(do: Callable[[DeadLetters], Awaitable[T]]) -> T:
    """On a connection of its own. No answer is a line and exit status 1."""

    async def doing(url: str) -> T:
        connection = await nats.connect(
            url, allow_reconnect=False, max_reconnect_attempts=1, connect_timeout=_CONNECT_S, error_cb=_unsaid
        )
        try:
            return await do(DeadLetters(connection.jetstream()))
        finally:
            await connection.close()

    with explained():
        url = servers()["COLDSTART_NATS_URL"]
    try:
        return asyncio.run(doing(url))
    except _REFUSED as error:
        complain(f"NATS does not answer, or has no such stream: {error!r}")
        raise typer.Exit(1) from None


async def _unsaid(error: Exception) -> None:
    """What is raised is told once, and in fewer words."""


def _shown(letter: Letter) -> dict[str, object]:
    return {
        "number": letter.number,
        "at": letter.at.isoformat(),
        "consumer": letter.consumer,
        "subject": letter.subject,
        "origin": letter.origin,
        "reason": letter.reason,
    }
