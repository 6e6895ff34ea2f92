"""Draws several launches: a live table on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from coldstart.fleet import Fleet, Member
from coldstart.progress_table import progress_table
from coldstart.stream_messages import Estimated, Happened, StreamMessage
from coldstart.watching import line
from shared.lifecycle.groups import StatusGroup


def watch_many(
    console: Console,
    fleet: Fleet,
    messages: Iterable[StreamMessage],
    away: Callable[[], str | None],
    *,
    endless: bool = False,
) -> None:
    """Draw until all have settled, or for ever. `away`: why nothing can be read now."""
    if not console.is_terminal:
        for text in _lines(fleet, messages, endless=endless):
            console.print(text, highlight=False, markup=False, soft_wrap=True)
        return
    with Live(_Drawing(fleet, away), console=console, refresh_per_second=8) as live:
        for _ in events_of(fleet, messages, endless=endless):
            pass
        live.refresh()


def _lines(fleet: Fleet, messages: Iterable[StreamMessage], *, endless: bool) -> Iterator[str]:
    """A line for each instance, then for each event."""
    for member in fleet.members:
        instance = member.instance
        yield _of(instance.name, fleet, f"{instance.progress_percent:>3} %  {instance.status_label}")
    for event in events_of(fleet, messages, endless=endless):
        yield _of(event.instance.name, fleet, line(event))


def _of(name: str, fleet: Fleet, what: str) -> str:
    longest = max(len(member.instance.name) for member in fleet.members)
    return f"{name:<{longest}}  {what}"


def events_of(fleet: Fleet, messages: Iterable[StreamMessage], *, endless: bool = False) -> Iterator[Happened]:
    """Each event with anything new, until all have settled, or for ever. Only starting instances join."""
    if not endless and _settled(fleet):
        return
    for one in messages:
        if isinstance(one, Estimated):
            fleet.take(one)
        elif (one.instance.id in fleet or one.instance.on_its_way) and fleet.take(one):
            yield one
        if not endless and _settled(fleet):
            return


def _settled(fleet: Fleet) -> bool:
    return all(member.instance.settled for member in fleet.members)


@dataclass(frozen=True)
class _Drawing:
    fleet: Fleet
    away: Callable[[], str | None]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        members = sorted(self.fleet.members, key=_urgency)
        room = len(members) if len(members) < options.size.height - 1 else options.size.height - 2
        yield progress_table(members[:room], datetime.now(UTC), options.max_width)
        if room < len(members):
            yield Text(f"… and {len(members) - room} more", "bright_black")
        if why := self.away():
            yield Text(f"no connection, trying again: {why}", "yellow", no_wrap=True, overflow="ellipsis")


def _urgency(member: Member) -> int:
    """Failures first, ready ones last."""
    if member.instance.group is StatusGroup.FAILED:
        return 0
    return 2 if member.instance.settled else 1
