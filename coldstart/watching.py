"""Draws an instance's launch from its events: a live bar on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from coldstart.colours import colour
from coldstart.fleet import Member
from coldstart.money import money
from coldstart.stream_messages import Estimated, Happened, StreamMessage
from coldstart.waiting import briefly, expected, next_try
from shared.description import Description
from shared.eta.estimate import Estimate
from shared.lifecycle.groups import SETTLED, StatusGroup
from shared.lifecycle.status import Status
from shared.lifecycle.words import of_bytes
from shared.plain_text import plain_line


@dataclass
class Journey:
    """The instance after the events so far, and how long each step took, in seconds by its label."""

    until: frozenset[StatusGroup]
    since: int = 0
    """The first version at which a status of `until` counts; earlier ones are past."""
    instance: Description | None = None
    steps: list[tuple[str, float]] = field(default_factory=list)
    began: datetime | None = None
    eta: Estimate | None = None
    """The last estimate."""

    def follow(self, event: Happened) -> str | None:
        """Take in an event. Returns a line about it, None if it is already known."""
        before = self.instance
        if before is not None and event.instance.version <= before.version:
            return None
        if self.began is None or before is None:
            self.began = event.at
        elif event.instance.step_label != before.step_label:
            self.steps.append((before.step_label, (event.at - self.began).total_seconds()))
            self.began = event.at
        self.instance = event.instance
        return line(event)

    @property
    def settled(self) -> bool:
        return self.instance is not None and self.instance.version >= self.since and self.instance.group in self.until

    @property
    def status(self) -> Status | None:
        """None before the first event."""
        return self.instance.status if self.instance else None


def line(event: Happened) -> str:
    """An event as a line: progress, status, type, and its detail."""
    instance = event.instance
    return f"{instance.progress_percent:>3} %  {instance.status_label:<12} {event.type}{detail(event)}"


def detail(event: Happened) -> str:
    """An event's detail, in brackets; empty without one."""
    if event.fact.get("total_bytes"):
        return f" ({of_bytes(event.fact['fetched_bytes'], event.fact['total_bytes'])})"
    for name in ("phase", "stage", "reason", "message", "ip_address", "zone"):
        if event.fact.get(name):
            return f" ({plain_line(event.fact[name])})"
    return ""


def watch(
    console: Console,
    events: Iterable[StreamMessage],
    *,
    title: str,
    until: Iterable[StatusGroup] = SETTLED,
    since: int = 0,
) -> Journey:
    """Draw until the instance, at version `since` or later, has a status of `until`: ready, failed or gone."""
    journey = Journey(frozenset(until), since)
    if not console.is_terminal:
        for text in _lines(journey, events):
            console.print(text, highlight=False, markup=False, soft_wrap=True)
        return journey
    bar = Progress(TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    task = bar.add_task(title, total=100)
    with Live(_Drawing(bar, journey), console=console, refresh_per_second=8) as live:
        for _ in _lines(journey, events):
            bar.update(task, completed=journey.instance.progress_percent if journey.instance else 0)
        live.refresh()
    return journey


def watch_as_json(events: Iterable[Happened], write: Callable[[dict[str, Any]], None], *, since: int = 0) -> Journey:
    """Like `watch`, for a script: writes every event as it is."""
    journey = Journey(SETTLED, since)
    for event in events:
        if journey.follow(event) is not None:
            write(event.json)
        if journey.settled:
            break
    return journey


def _lines(journey: Journey, events: Iterable[StreamMessage]) -> Iterator[str]:
    """A line for each event, and the estimate after it, if that has changed."""
    shown, asked = None, True
    for event in events:
        if isinstance(event, Estimated):
            journey.eta = event.eta
            if asked and expected(event.eta) != shown:
                shown, asked = expected(event.eta), False
                yield f"       {shown}"
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
            now, instance = datetime.now(UTC), self.journey.instance
            spent = Member.of_event(instance).spent_until(now)
            running = "" if self.journey.settled else f"{max((now - self.journey.began).total_seconds(), 0):.1f} s"
            steps.add_row(Text("●", colour(instance.tone)), Text(_where(instance)), running)
            if instance.delay and instance.launching:
                steps.add_row("", Text(next_try(instance.delay.next_try_at, now)))
            elif self.journey.eta and instance.launching:
                steps.add_row("", Text(f"ready {briefly(self.journey.eta)}"))
            if spent:
                steps.add_row("", Text(f"{money(spent, instance.currency)} so far"))
        return Group(self.bar, steps)


def _where(instance: Description) -> str:
    """What it is doing, or where it stopped, and its status; only the status if that says it all."""
    return f"{instance.where} [{instance.status_label}]" if instance.where else instance.status_label
