"""An instance's way to ready, drawn from its events: one live bar on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from coldstart.colours import colour
from coldstart.fleet import SETTLED, Member
from coldstart.money import money
from coldstart.waiting import briefly, expected
from shared.lifecycle.progress import label
from shared.lifecycle.status import Status
from shared.lifecycle.words import NAMES
from shared.plain_text import plain_line


@dataclass
class Journey:
    """What the events so far tell: the instance as it is, and how long each step took, in words and in seconds."""

    until: frozenset[Status]
    since: int = 0
    """The version from which on a status of `until` settles it: what was passed long ago does not."""
    instance: dict[str, Any] = field(default_factory=dict)
    steps: list[tuple[str, float]] = field(default_factory=list)
    began: datetime | None = None
    eta: Mapping[str, Any] | None = None
    """As of the last estimate."""

    def follow(self, event: dict[str, Any]) -> str | None:
        """Take one CloudEvent in. Returns the line that says what it brought, None for what was known."""
        instance = event["data"]["instance"]
        if instance["version"] <= self.instance.get("version", 0):
            return None
        at = datetime.fromisoformat(event["time"])
        before = self.instance
        if self.began is None:
            self.began = at
        elif label(instance["step"]) != label(before["step"]):
            self.steps.append((label(before["step"]), (at - self.began).total_seconds()))
            self.began = at
        self.instance = instance
        return line(event)

    @property
    def settled(self) -> bool:
        if not self.instance or self.instance["version"] < self.since:
            return False
        return Status(self.instance["status"]) in self.until


def line(event: dict[str, Any]) -> str:
    """What an event brought, as progress, status, event, and what is special about it."""
    instance = event["data"]["instance"]
    status = NAMES[Status(instance["status"])]
    return f"{instance['progress_percent']:>3} %  {status:<12} {event['type']}{detail(event)}"


def detail(event: dict[str, Any]) -> str:
    """What is special about an event, in brackets; empty where nothing is."""
    fact = event["data"]["event"]
    for name in ("phase", "stage", "reason", "message", "ip_address", "zone"):
        if fact.get(name):
            return f" ({plain_line(fact[name])})"
    return ""


def watch(
    console: Console,
    events: Iterable[dict[str, Any]],
    *,
    title: str,
    until: Iterable[Status] = SETTLED,
    since: int = 0,
) -> Journey:
    """Draw until the instance, at version `since` or later, has a status of `until`, by default ready, failed, gone."""
    journey = Journey(frozenset(until), since)
    if not console.is_terminal:
        for told in _lines(journey, events):
            console.print(told, highlight=False, markup=False, soft_wrap=True)
        return journey
    bar = Progress(TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    task = bar.add_task(title, total=100)
    with Live(_Drawing(bar, journey), console=console, refresh_per_second=8) as live:
        for _ in _lines(journey, events):
            bar.update(task, completed=journey.instance.get("progress_percent", 0))
        live.refresh()
    return journey


def watch_as_json(
    events: Iterable[dict[str, Any]], write: Callable[[dict[str, Any]], None], *, since: int = 0
) -> Journey:
    """As `watch`, for a script: every event as it is."""
    journey = Journey(SETTLED, since)
    for event in events:
        if journey.follow(event) is not None:
            write(event)
        if journey.settled:
            break
    return journey


def _lines(journey: Journey, events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """What each event brought, and what is expected after it, where that has changed."""
    told, asked = None, True
    for event in events:
        if "eta" in event:
            journey.eta = event["eta"]
            if asked and expected(event["eta"]) != told:
                told, asked = expected(event["eta"]), False
                yield f"       {told}"
            continue
        brought = journey.follow(event)
        if brought is not None:
            yield brought
            asked = True
        if journey.settled:
            return


@dataclass
class _Drawing:
    bar: Progress
    journey: Journey

    def __rich__(self) -> RenderableType:
        steps = Table.grid(padding=(0, 2))
        for step, seconds in self.journey.steps:
            steps.add_row(Text("✓", "green"), step, f"{seconds:.1f} s")
        if self.journey.instance and self.journey.began:
            now = datetime.now(UTC)
            member = Member.of_snapshot(self.journey.instance, now)
            running = "" if self.journey.settled else f"{max((now - self.journey.began).total_seconds(), 0):.1f} s"
            steps.add_row(Text("●", colour(member.status)), Text(_where(member)), running)
            if self.journey.eta and member.launching:
                steps.add_row("", Text(f"ready {briefly(self.journey.eta)}"))
            if member.spent:
                steps.add_row("", Text(f"{money(member.spent, member.currency)} so far"))
        return Group(self.bar, steps)


def _where(member: Member) -> str:
    """What it is doing, or where it stopped, and its status; that alone where it says it all."""
    return f"{member.where} [{NAMES[member.status]}]" if member.where else NAMES[member.status]
