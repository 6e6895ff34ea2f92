"""A fleet on one screen: its cost, failures first, starting instances, ready ones."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from coldstart.colours import colour_of, painted
from coldstart.figures import NOTHING, Figures
from coldstart.fleet import Fleet, Member
from coldstart.money import money
from coldstart.progress_table import NARROW, WIDE, first_line, progress_table
from shared.lifecycle.groups import StatusGroup
from shared.lifecycle.status import Status
from shared.lifecycle.words import NAMES

_IN_TROUBLE: Final = frozenset({StatusGroup.FAILED, StatusGroup.UNAVAILABLE})
_HEAD: Final = 2
_AROUND_A_SECTION: Final = 2
"""A blank line and a header line."""


@dataclass(frozen=True)
class FleetPicture:
    """Fits the screen, if that has at least a dozen lines. `away`: why nothing can be read now."""

    fleet: Fleet
    figures: Figures
    away: Callable[[], str | None]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now, width = datetime.now(UTC), options.max_width
        members = [member for member in self.fleet.members if member.instance.group is not StatusGroup.GONE]
        yield _line(Text.assemble(_summary(members), f"  {now.astimezone():%H:%M:%S}"))
        why = self.away()
        yield _line(Text(f"no connection, trying again: {why}", "yellow") if why else _counts(members))
        sections = [section for section in _sections(members) if section]
        room = options.size.height - _HEAD - _AROUND_A_SECTION * len(sections) if console.is_terminal else len(members)
        for section, lines in zip(sections, allotted([len(section) for section in sections], room), strict=True):
            shown = section if lines >= len(section) else section[: max(lines - 1, 0)]
            yield ""
            yield self._table(section[0], shown, now, width)
            if len(shown) < len(section):
                yield _line(Text(f"… and {len(section) - len(shown)} more", "bright_black"))

    def _table(self, first: Member, shown: Sequence[Member], now: datetime, width: int) -> Table:
        if first.instance.group in _IN_TROUBLE:
            return _troubles(shown, width)
        if first.instance.group is StatusGroup.READY:
            return self._serving(shown, now, width)
        return progress_table(shown, now, width, title="under way")

    def _serving(self, members: Iterable[Member], now: datetime, width: int) -> Table:
        table = _headed("serving")
        if width >= NARROW:
            table.add_column("model", no_wrap=True, overflow="ellipsis", ratio=2)
        if width >= WIDE:
            table.add_column("type", no_wrap=True)
            table.add_column("zone", no_wrap=True)
        for head in ("in flight", "requests today", "tokens today", *(("cost",) if width >= WIDE else ())):
            table.add_column(head, no_wrap=True, justify="right")
        for member in members:
            used = self.figures.used.get(member.instance.id, NOTHING)
            cells = [Text(member.instance.name)]
            cells += [Text(member.instance.model)] if width >= NARROW else []
            cells += [Text(member.instance.instance_type or ""), Text(member.instance.place)] if width >= WIDE else []
            figures = (self.figures.in_flight.get(member.instance.id, 0), used.requests, used.tokens)
            cells += [Text(f"{figure:,}") for figure in figures]
            cells += [Text(money(member.spent_until(now), member.instance.currency))] if width >= WIDE else []
            table.add_row(*cells)
        return table


def allotted(wanted: Sequence[int], room: int) -> list[int]:
    """Lines for each section, shared in turns: a section that wants few leaves the rest to the others."""
    given = [0] * len(wanted)
    while room > 0 and given != list(wanted):
        for place, most in enumerate(wanted):
            if room > 0 and given[place] < most:
                given[place] += 1
                room -= 1
    return given


def _sections(members: Sequence[Member]) -> tuple[list[Member], ...]:
    """Failures, starting instances (furthest first), and ready ones."""
    troubled = [member for member in members if member.instance.group in _IN_TROUBLE]
    serving = [member for member in members if member.instance.group is StatusGroup.READY]
    under_way = [member for member in members if member.instance.group not in _IN_TROUBLE | {StatusGroup.READY}]
    return troubled, sorted(under_way, key=lambda member: -member.instance.progress_percent), serving


def _summary(members: Sequence[Member]) -> str:
    """The hourly cost of all servers that are on, by currency."""
    prices: defaultdict[str, float] = defaultdict(float)
    for member in members:
        instance = member.instance
        if instance.server_on and instance.hourly_price is not None:
            prices[instance.currency or ""] += instance.hourly_price
    rates = " + ".join(money(amount, currency) for currency, amount in sorted(prices.items())) or "nothing"
    return f"{len(members)} instance{'' if len(members) == 1 else 's'}, {rates} an hour"


def _counts(members: Iterable[Member]) -> Text:
    count = Counter(member.instance.status for member in members)
    counted = (Text(f"{count[status]} {NAMES[status]}", colour_of(status)) for status in Status if count[status])
    return Text("  ").join(counted)


def _troubles(members: Iterable[Member], width: int) -> Table:
    table = _headed("in trouble")
    if width >= WIDE:
        table.add_column("zone", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=3)
    for member in members:
        where = [Text(member.instance.place)] if width >= WIDE else []
        instance, why = member.instance, Text(first_line(member.instance.doing))
        table.add_row(Text(instance.name), *where, painted(instance), why)
    return table


def _headed(title: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=True)
    table.add_column(title, no_wrap=True, overflow="ellipsis", ratio=1)
    return table


def _line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
