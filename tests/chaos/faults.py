"""What is done to the cluster, drawn from a seed. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from random import Random
from typing import Any, Final, Self

SERVICES: Final = ("api", "provisioner", "health", "progress", "scaler")
REPLICAS: Final = 2
NODES: Final = 3
CALLS: Final = ("create_server", "list_servers", "get_server", "poweron", "delete_server", "list_volumes", "any")
ERRORS: Final = ("too_many_requests", "transient_state", "bad_gateway", "reset_before", "reset_after")


class Kind(StrEnum):
    """Each fault heals by itself after its `seconds`, but for a kill, after which the part is started again."""

    KILL = "kill -9 of a service"
    STALL = "a service stands still"
    NODE_KILL = "kill -9 of a NATS node"
    NODE_STALL = "a NATS node stands still"
    QUORUM = "two NATS nodes are away"
    LEADER = "the stream's leader steps down"
    POSTGRES_KILL = "kill -9 of PostgreSQL"
    POSTGRES_STALL = "PostgreSQL stands still"
    CLOUD_CALL = "a call to the cloud fails or loses its answer"
    CLOUD_AWAY = "the whole cloud answers 503"
    SERVER_LOST = "a machine is deleted by somebody else"


WEIGHTS: Final[dict[Kind, int]] = {
    Kind.KILL: 40,
    Kind.STALL: 18,
    Kind.NODE_KILL: 7,
    Kind.NODE_STALL: 4,
    Kind.QUORUM: 2,
    Kind.LEADER: 8,
    Kind.POSTGRES_KILL: 3,
    Kind.POSTGRES_STALL: 3,
    Kind.CLOUD_CALL: 11,
    Kind.CLOUD_AWAY: 2,
    Kind.SERVER_LOST: 2,
}
SECONDS: Final[dict[Kind, tuple[float, float]]] = {
    Kind.STALL: (0.5, 6.0),
    Kind.NODE_KILL: (0.2, 3.0),
    Kind.NODE_STALL: (0.5, 4.0),
    Kind.QUORUM: (1.0, 4.0),
    Kind.POSTGRES_KILL: (0.0, 2.0),
    Kind.POSTGRES_STALL: (0.5, 4.0),
    Kind.CLOUD_AWAY: (0.5, 4.0),
}
"""From and to. A lease lasts three seconds there, so some of the stalls outlast it."""


@dataclass(frozen=True)
class Fault:
    """`after` the fault before it, in seconds. `target`: a service's replica, a node, a call, an error; as `kind` asks.

    `dice`: a number from 0 to 1, by which the target is chosen among what is there at that moment.
    """

    kind: Kind
    after: float
    target: str = ""
    seconds: float = 0.0
    dice: float = 0.0

    def __str__(self) -> str:
        lasts = f", {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.kind}{f' ({self.target})' if self.target else ''}{lasts}"

    def written(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "kind": Kind(fields["kind"])})


def drawn(seed: int, count: int, mean_pause_s: float) -> tuple[Fault, ...]:
    """The same for the same arguments; the first faults of a longer draw are those of a shorter one."""
    random = Random(seed)  # noqa: S311  reproducible dice, no secret
    return tuple(_fault(random, mean_pause_s) for _ in range(count))


def _fault(random: Random, mean_pause_s: float) -> Fault:
    kind = random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    seconds = round(random.uniform(*SECONDS[kind]), 2) if kind in SECONDS else 0.0
    after = round(random.expovariate(1 / mean_pause_s), 3)
    return Fault(kind, after, _target(kind, random), seconds, round(random.random(), 3))


def _target(kind: Kind, random: Random) -> str:
    match kind:
        case Kind.KILL | Kind.STALL:
            return f"{random.choice(SERVICES)}-{random.randrange(REPLICAS)}"
        case Kind.NODE_KILL | Kind.NODE_STALL | Kind.QUORUM:
            return str(random.randrange(NODES))
        case Kind.CLOUD_CALL:
            return f"{random.choice(CALLS)} {random.choice(ERRORS)}"
        case _:
            return ""


def hurried(faults: Sequence[Fault], longest_pause_s: float = 1.0) -> tuple[Fault, ...]:
    """Those that are left of a plan, without the time that the others took."""
    return tuple(
        Fault(each.kind, min(each.after, longest_pause_s), each.target, each.seconds, each.dice) for each in faults
    )
