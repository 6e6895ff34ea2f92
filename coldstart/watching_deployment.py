"""Follows a deployment and its replicas' instances by their events: a live table on a terminal, lines elsewhere."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from coldstart.api_client import described
from coldstart.colours import colour
from coldstart.deployment_tables import held_up, of_wanted
from coldstart.fleet import Fleet, Member
from coldstart.progress_table import progress_table
from coldstart.stream_messages import AnyMessage, DeploymentHappened, Estimated, Happened
from coldstart.watching import line
from shared.deployments.delays import delay_of
from shared.deployments.deployment import DeploymentStatus
from shared.deployments.description import DeploymentDescription
from shared.deployments.words import what_happened
from shared.description import InstanceView
from shared.lifecycle.groups import StatusGroup
from shared.plain_text import plain_line


@dataclass
class DeploymentJourney:
    """The deployment after the events so far, and the instances of its replicas."""

    deployment: DeploymentDescription
    fleet: Fleet = field(default_factory=Fleet)
    last: str = ""
    """The last event of the deployment itself, in words."""

    @classmethod
    def of(cls, row: dict[str, Any], at: datetime) -> Self:
        """As GET /deployments/{name} shows it. Raises ApiProblem."""
        journey = cls(described(DeploymentDescription, row))
        shown = (described(InstanceView, each["instance"]) for each in row["replicas"] if each["instance"])
        journey.fleet.shown(shown, at)
        return journey

    def follow(self, event: DeploymentHappened | Happened) -> str | None:
        """Take in an event. Returns a line about it; None if it is of another deployment, or already known."""
        if isinstance(event, DeploymentHappened):
            after = event.deployment
            if after.id != self.deployment.id or after.version <= self.deployment.version:
                return None
            self.deployment = after
            self.last = f"{event.type}: {what_happened(event.type, event.fact)}".rstrip(" :")
            return f"{self.so_far}  {self.last}"
        if _deployment_of(event) != str(self.deployment.id) or not self.fleet.take(event):
            return None
        return f"{self.so_far}  {event.instance.name}: {line(event).strip()}"

    @property
    def members(self) -> list[Member]:
        """Of the replicas that it still has, those that leave included."""
        ids = {replica.instance_id for replica in self.deployment.replicas}
        return [member for member in self.fleet.members if member.instance.id in ids]

    @property
    def ready(self) -> int:
        staying = {replica.instance_id for replica in self.deployment.replicas if not replica.leaving}
        groups = (member.instance.group for member in self.fleet.members if member.instance.id in staying)
        return sum(group is StatusGroup.READY for group in groups)

    @property
    def so_far(self) -> str:
        """As `1 of 3 ready`."""
        return of_wanted(self.ready, self.deployment.wanted)

    def doing(self, now: datetime) -> str:
        """What it does, and what holds a replica up."""
        deployment = self.deployment
        if deployment.degraded is not None and deployment.degraded.gave_up:
            return deployment.doing
        instances = {member.instance.id: member.instance for member in self.members}
        return held_up(deployment.doing, delay_of(deployment.replicas, instances), now)

    @property
    def why_not(self) -> str | None:
        """Why it will not serve as wanted unless somebody does something."""
        deployment = self.deployment
        if deployment.degraded is not None and deployment.degraded.gave_up:
            return deployment.degraded.message
        return deployment.doing if self.halted else None

    @property
    def halted(self) -> bool:
        """Its rollout is."""
        return self.deployment.rollout is not None and self.deployment.rollout.halted is not None

    @property
    def settled(self) -> bool:
        """Nothing more happens to it by itself, as long as its load stays as it is."""
        deployment = self.deployment
        if deployment.status is not DeploymentStatus.ACTIVE:
            return not deployment.replicas
        if self.why_not is not None:
            return True
        scaling = deployment.wish.scaling
        scaled = bool(scaling.schedule) or deployment.wanted >= scaling.min_replicas
        rolled_out = deployment.rollout is None and deployment.revision == deployment.serving_revision
        return scaled and rolled_out and self.ready == deployment.wanted == len(deployment.replicas)


def events_of_deployment(
    journey: DeploymentJourney, messages: Iterable[AnyMessage], *, endless: bool = False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each event of it with anything new, as a line and as JSON, until it has settled, or for ever."""
    if journey.settled and not endless:
        return
    for message in messages:
        if isinstance(message, Estimated):
            journey.fleet.take(message)
        elif (said := journey.follow(message)) is not None:
            yield said, message.json
        if journey.settled and not endless:
            return


def draw(
    console: Console,
    journey: DeploymentJourney,
    messages: Iterable[AnyMessage],
    away: Callable[[], str | None],
    *,
    endless: bool = False,
) -> None:
    """Draw until it has settled, or for ever. `away`: why nothing can be read now."""
    events = events_of_deployment(journey, messages, endless=endless)
    if not console.is_terminal:
        begins = (journey.so_far, journey.deployment.status_label, journey.doing(datetime.now(UTC)))
        console.print(plain_line("  ".join(filter(None, begins))), highlight=False, markup=False, soft_wrap=True)
        for said, _ in events:
            console.print(plain_line(said), highlight=False, markup=False, soft_wrap=True)
        return
    with Live(_Drawing(journey, away), console=console, refresh_per_second=8) as live:
        for _ in events:
            pass
        live.refresh()


@dataclass(frozen=True)
class _Drawing:
    journey: DeploymentJourney
    away: Callable[[], str | None]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        deployment, now = self.journey.deployment, datetime.now(UTC)
        yield Text.assemble(
            f"{deployment.name}  ", (deployment.status_label, colour(deployment.tone)), f"  {self.journey.so_far}"
        )
        if self.journey.members:
            yield progress_table(self.journey.members, now, options.max_width)
        for said in filter(None, (self.journey.doing(now), self.journey.last)):
            yield Text(said, "bright_black", no_wrap=True, overflow="ellipsis")
        if why := self.away():
            yield Text(f"no connection, trying again: {why}", "yellow", no_wrap=True, overflow="ellipsis")


def _deployment_of(event: Happened) -> str | None:
    replica = event.json["data"]["instance"]["specification"].get("replica")
    return replica and str(replica["deployment_id"])
