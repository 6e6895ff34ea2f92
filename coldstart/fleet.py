"""The state of many instances, from the api's rows, events and estimates; the newest of each counts."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Self
from uuid import UUID

from coldstart.stream_messages import Estimated, StreamMessage
from shared.description import Description, InstanceView
from shared.eta.estimate import Estimate


@dataclass(frozen=True)
class Member:
    """One instance as it was at `at`, by this clock; `since` is when its current step began."""

    instance: Description
    since: datetime
    at: datetime
    eta: Estimate | None = None

    @classmethod
    def of_row(cls, row: InstanceView, at: datetime) -> Self:
        """From a row of the api."""
        return cls(row, row.step_since, at, row.eta)

    @classmethod
    def of_event(cls, instance: Description) -> Self:
        """From an event."""
        return cls(instance, instance.step_since, instance.as_of)

    def spent_until(self, now: datetime) -> float | None:
        """What it will have cost at `now`, if its server stays as it is."""
        return self.instance.cost_after(now - self.at)

    def after(self, before: "Member | None") -> "Member":
        """Itself, at least as new as `before`, completed with what only `before` knows."""
        if before is None:
            return self
        goes_on = before.instance.launching and before.instance.step_label == self.instance.step_label
        eta = self.eta or (before.eta if self.instance.launching and self.instance.delay is None else None)
        return replace(self, since=before.since if goes_on else self.since, eta=eta)


@dataclass
class Fleet:
    """`only`: the ids to include; None includes all. Thread-safe."""

    only: Collection[UUID] | None = None
    _members: dict[UUID, Member] = field(default_factory=dict)
    _taking: Lock = field(default_factory=Lock)

    @property
    def members(self) -> tuple[Member, ...]:
        """In order of arrival."""
        return tuple(self._members.values())

    def __contains__(self, instance_id: UUID) -> bool:
        return instance_id in self._members

    def shown(self, rows: Iterable[InstanceView], at: datetime) -> None:
        """Take in rows of the api."""
        for row in rows:
            self._take(Member.of_row(row, at))

    def take(self, message: StreamMessage) -> bool:
        """Take in an event or an estimate; returns whether it was an event with anything new."""
        if not isinstance(message, Estimated):
            return self._take(Member.of_event(message.instance), repeated=False)
        with self._taking:
            member = self._members.get(message.instance_id)
            if member is not None and member.instance.launching and member.instance.delay is None:
                self._members[message.instance_id] = replace(member, eta=message.eta)
        return False

    def _take(self, member: Member, *, repeated: bool = True) -> bool:
        its_id, version = member.instance.id, member.instance.version
        if self.only is not None and its_id not in self.only:
            return False
        with self._taking:
            before = self._members.get(its_id)
            if before is not None and version < before.instance.version + (not repeated):
                return False
            self._members[its_id] = member.after(before)
            return True
