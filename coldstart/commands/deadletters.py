"""`coldstart deadletters`: messages that could not be handled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import typer
from nats.errors import Error as NatsError
from rich.table import Table
from rich.text import Text

from coldstart.commands.asking import Yes, ask
from coldstart.commands.context import Json, complain, explained, print_json, print_table, say
from coldstart.commands.read_model import progress, servers
from shared.bus.connection import connected_once
from shared.bus.dead_letters import DeadLetter, DeadLetters
from shared.bus.topology import TRIGGERS
from shared.journal.envelope import Undecodable, decode_any

_PROJECTOR: Final = "progress"
_CONNECT_S: Final = 5
_REFUSED: Final = (NatsError, OSError)
_HELD: Final = {trigger.durable: trigger for trigger in TRIGGERS}

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Messages that could not be handled.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List them, oldest first, with the reason why each could not be handled."""
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
        list[int] | None, typer.Argument(metavar="[NUMBER]...", help="Numbers from `coldstart deadletters list`.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Replay all of them.")] = False,
    yes: Yes = False,
) -> None:
    """Deliver messages again to the consumers that failed on them; exit status 1 if one fails again.

    The provisioner and health get theirs back as ordinary work. Messages of progress are projected now.
    """
    if every == bool(numbers):
        raise typer.BadParameter("give numbers, or --all.")
    letters = [letter for letter in _with_letters(_all) if every or letter.number in (numbers or ())]
    for number in sorted(set(numbers or ()) - {letter.number for letter in letters}):
        complain(f"{number}  no such dead letter")
    if every and letters:
        words = "They take effect now: instances may be launched, reinstalled or released."
        ask(f"Replay {len(letters)} dead letters?", words, yes=yes)
    handled = [_replayed(letter) for letter in letters]
    if not all(handled) or len(letters) < len(set(numbers or ())):
        raise typer.Exit(1)


def _replayed(letter: DeadLetter) -> bool:
    """Whether its consumer has it, so that it is no dead letter any more."""
    why_not = _why_not(letter)
    if why_not is None and letter.consumer == _PROJECTOR:
        with explained():
            if progress("replay", str(letter.sequence)):
                return False
        _with_letters(lambda letters: letters.remove(letter))
    elif why_not is None:
        _with_letters(lambda letters: letters.replay(letter))
    else:
        complain(f"{letter.number}  {why_not}")
        return False
    say(f"{letter.number}  {letter.subject}  to {letter.consumer}")
    return True


def _why_not(letter: DeadLetter) -> str | None:
    """Why a replay would fail again; None if it may succeed."""
    if letter.consumer not in (_PROJECTOR, *_HELD):
        return f"there is no consumer {letter.consumer}"
    read = _HELD[letter.consumer].kind.decode if letter.consumer in _HELD else decode_any
    try:
        read(letter.data, letter.sequence, letter.at)
    except (Undecodable, ValueError) as error:
        return f"still cannot be read: {error}"
    return None


async def _all(letters: DeadLetters) -> list[DeadLetter]:
    return [letter async for letter in letters]


def _with_letters(do: Callable[[DeadLetters], Awaitable[T]]) -> T:
    """Opens its own connection. Without an answer it prints one line and exits with 1."""

    async def doing(url: str) -> T:
        async with connected_once(url, timeout_s=_CONNECT_S) as connection:
            return await do(DeadLetters(connection.jetstream()))

    with explained():
        url = servers()["COLDSTART_NATS_URL"]
    try:
        return asyncio.run(doing(url))
    except _REFUSED as error:
        complain(f"NATS does not answer, or has no stream of dead letters: {error!r}")
        raise typer.Exit(1) from None


def _shown(letter: DeadLetter) -> dict[str, object]:
    return {
        "number": letter.number,
        "at": letter.at.isoformat(),
        "consumer": letter.consumer,
        "subject": letter.subject,
        "origin": letter.origin,
        "reason": letter.reason,
    }
