"""What is known of many instances: from the api's rows, from events and from estimates; the newest of each counts."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final, Self

from shared.eta.estimate import LAUNCHING
from shared.lifecycle.cost import cost
from shared.lifecycle.instance import Delay, Failure, Instance
from shared.lifecycle.progress import label
from shared.lifecycle.status import FAILURES, GONE, Status
from shared.lifecycle.words import doing, where

ON_THEIR_WAY: Final = LAUNCHING | {Status.UNAVAILABLE}
"""To ready, for the first time or again."""
SETTLED: Final = FAILURES | GONE | {Status.READY}
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Member:
    """One instance as it was at `at`: `since` is when it began what its step is called, `spent` what it had cost.

    `zone` is the provider while it has none.
    """

    id: str
    name: str
    model: str
    instance_type: str | None
    zone: str
    status: Status
    progress: int
    step: str
    delay: Delay | None
    since: datetime
    version: int
    error: Failure | None
    hourly_price: float | None
    currency: str | None
    server_on: bool
    spent: float | None
    at: datetime
    eta: Mapping[str, Any] | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any], at: datetime) -> Self:
        """As `GET /instances` showed it."""
        return cls(
            id=row["id"],
            name=row["name"],
            model=row["model"],
            instance_type=row["instance_type"],
            zone=row["zone"] or row["provider"],
            status=Status(row["status"]),
            progress=row["progress_percent"],
            step=row["step"],
            delay=Delay.model_validate(row["delay"]) if row.get("delay") else None,
            since=datetime.fromisoformat(row["step_since"]),
            version=row["version"],
            error=Failure.model_validate(row["error"]) if row["error"] else None,
            hourly_price=row["hourly_price"],
            currency=row["currency"],
            server_on=row["server_on"],
            spent=row["cost"],
            at=at,
            eta=row["eta"],
        )

    @classmethod
    def of_snapshot(cls, snapshot: Mapping[str, Any], at: datetime) -> Self:
        """As an event carries it."""
        instance = Instance.model_validate(snapshot)
        return cls(
            id=str(instance.id),
            name=instance.specification.name,
            model=instance.specification.model,
            instance_type=instance.instance_type,
            zone=instance.zone or instance.specification.provider,
            status=instance.status,
            progress=instance.progress_percent,
            step=instance.step,
            delay=instance.delay,
            since=instance.progress_since or instance.updated_at,
            version=instance.version,
            error=instance.error,
            hourly_price=instance.hourly_price,
            currency=instance.currency,
            server_on=instance.server_on,
            spent=cost(instance, at),
            at=at,
        )

    def spent_until(self, now: datetime) -> float | None:
        """What it has cost by then, if its server stays as it is."""
        if self.spent is None or self.hourly_price is None or not self.server_on:
            return self.spent
        return self.spent + self.hourly_price * (max(now - self.at, timedelta()) / _HOUR)

    @property
    def doing(self) -> str:
        """As `shared.lifecycle.words` has it."""
        return doing(self.status, self.step, self.error, self.delay)

    @property
    def where(self) -> str:
        """The same of one that failed at what it did."""
        return where(self.status, self.step, self.delay)

    @property
    def launching(self) -> bool:
        """There is a step that it is at, and something to wait for."""
        return self.status in LAUNCHING

    def after(self, before: "Member | None") -> "Member":
        """The same, newer than the one before or as new, with what only that one knows."""
        if before is None:
            return self
        since = before.since if before.launching and label(before.step) == label(self.step) else self.since
        eta = self.eta or (before.eta if self.launching else None)
        return replace(self, since=since, eta=eta)


@dataclass
class Fleet:
    """`only`: of these alone, by their ids; None for all that come along. For several threads."""

    only: Collection[str] | None = None
    _members: dict[str, Member] = field(default_factory=dict)
    _taking: Lock = field(default_factory=Lock)

    @property
    def members(self) -> tuple[Member, ...]:
        """In the order in which they came."""
        return tuple(self._members.values())

    def __contains__(self, instance_id: str) -> bool:
        return instance_id in self._members

    def shown(self, rows: Iterable[Mapping[str, Any]], at: datetime) -> None:
        """Take in what the api showed."""
        for row in rows:
            self._take(Member.of_row(row, at))

    def take(self, told: Mapping[str, Any], at: datetime) -> bool:
        """Take in an event or an estimate; whether it was an event that brought anything."""
        if "eta" not in told:
            return self._take(Member.of_snapshot(told["data"]["instance"], at), repeated=False)
        with self._taking:
            member = self._members.get(told["instance_id"])
            if member is not None and member.launching:
                self._members[member.id] = replace(member, eta=told["eta"])
        return False

    def _take(self, member: Member, *, repeated: bool = True) -> bool:
        if self.only is not None and member.id not in self.only:
            return False
        with self._taking:
            before = self._members.get(member.id)
            if before is not None and member.version < (before.version if repeated else before.version + 1):
                return False
            self._members[member.id] = member.after(before)
            return True
