"""What a fact is, and the kinds of facts that the lifecycle treats alike."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, PositiveInt

from shared.actor import RequestedBy
from shared.lifecycle.wish import Purpose


class Action(StrEnum):
    """What the provisioner does to the world."""

    CREATE = "create"
    RESIZE_VOLUME = "resize_volume"
    POWER_ON = "power_on"
    AWAIT_ADDRESS = "await_address"
    OPEN_PORTS = "open_ports"
    INSTALL = "install"
    STORE_IMAGE = "store_image"
    RELEASE = "release"


class Fact(BaseModel):
    """One thing that happened to one instance, at `occurred_at` by the clock of whoever saw it.

    What belongs to one type of fact is declared in its class:

    - `identity`: the fields that distinguish facts of the same type and instance. If two services see the same thing,
      they make the same fact, and the journal keeps it once.
    - `milestone`: the progress of an instance that has reached this, in percent; a range if it depends on the fact.
    - `label`: what an instance does after it has reached this, in words for people.
    - `asks_for`: the provisioner's action that this fact may require.
    - `purpose`: the only instances that it is a fact of, by what they are for; None: of any.
    """

    model_config = ConfigDict(frozen=True)
    identity: ClassVar[tuple[str, ...]] = ()
    milestone: ClassVar[int | range | None] = None
    label: ClassVar[str | None] = None
    asks_for: ClassVar[Action | None] = None
    purpose: ClassVar[Purpose | None] = None

    instance_id: UUID
    occurred_at: AwareDatetime

    @classmethod
    def type(cls) -> str:
        return cls.__name__

    @property
    def percent(self) -> int | None:
        """The progress of an instance that has reached this, 0 to 100; None for a fact that is no milestone."""
        return self.milestone if isinstance(self.milestone, int) else None


class AttemptFact(Fact):
    """A fact of one attempt to make the instance ready. If it is not the current attempt, nothing changes."""

    attempt: PositiveInt


class Signal(Fact):
    """A fact that may move status and progress. An instance learns nothing else from it."""


class PlainMilestone(Signal):
    """A fact that is news until the instance has reached it in the current attempt."""


class Conclusion(Signal):
    """A fact that is news only while it moves the status: its observer may not know what happened since."""


class Decided(RequestedBy, Signal):
    """A fact that only `decide` makes. Each call is its own event, so its id is the caller's."""


class Timed(Protocol):
    """A fact of an instance, or of anything else that has them."""

    @property
    def occurred_at(self) -> datetime: ...
    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self: ...


_Timed = TypeVar("_Timed", bound=Timed)


def not_before(fact: _Timed, at: datetime) -> _Timed:
    """The same fact, at `at` if it happened earlier: the times of what it is about never run backwards.

    Two observers' clocks may differ a little, and a fact may be recorded after later ones.
    """
    return fact if fact.occurred_at >= at else fact.model_copy(update={"occurred_at": at})
