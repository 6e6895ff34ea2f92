"""Every fact in a deployment's life. Past tense, immutable, complete in itself."""

from typing import Final, Literal, TypeAlias, get_args
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from shared.actor import RequestedBy
from shared.deployments.wish import DeploymentWish
from shared.lifecycle.wish import FailedPlace
from shared.plain_text import PlainText

_NAMESPACE: Final = UUID("0f0c7b1e-6c57-5b7e-9d0a-4b1f6c2f9e55")


class DeploymentFact(BaseModel):
    """One thing that happened to one deployment, at `occurred_at` by the clock of whoever decided it."""

    model_config = ConfigDict(frozen=True)

    deployment_id: UUID
    occurred_at: AwareDatetime

    @classmethod
    def type(cls) -> str:
        return cls.__name__


class OfAPerson(RequestedBy, DeploymentFact):
    """What somebody asked for. Each call is its own event, so its id is the caller's."""


class OfTheScaler(DeploymentFact):
    """What the scaler concluded from the deployment's version `basis`. Once anything else was recorded, it is no news.

    So two scalers that conclude the same from the same version make one event.
    """

    basis: PositiveInt


class ScalingFigures(BaseModel):
    """What a scaling was decided by.

    `load`: requests in flight and held, as it was; `expected`: as it will be once a machine that is ordered now is
    ready. `lead_seconds`: how long that takes. `per_replica`: the target.
    """

    model_config = ConfigDict(frozen=True)

    load: float
    expected: float
    lead_seconds: float
    per_replica: float
    min_replicas: NonNegativeInt
    max_replicas: NonNegativeInt


ScalingReason: TypeAlias = Literal["bounds", "load", "forecast", "woken", "quiet", "idle", "paused", "deleted"]
"""`bounds`: the minimum or maximum. `load`: what is there now. `forecast`: what is expected. `woken`: a request came
while there was none. `quiet`: the load has been low for long enough. `idle`: there was none for long enough."""


class DeploymentCreated(OfAPerson):
    """Also the first fact after a deletion, if somebody creates one of the same name again."""

    wish: DeploymentWish
    revision: PositiveInt


class DeploymentChanged(OfAPerson):
    """`revision` is higher than before if the replicas have to be replaced: another template, or a restart."""

    wish: DeploymentWish
    revision: PositiveInt
    why: Literal["changed", "restarted", "rolled_back"] = "changed"


class DeploymentPaused(OfAPerson):
    """All replicas go, and no request wakes it."""


class DeploymentResumed(OfAPerson):
    """Replicas are ordered again, also if it had given up."""


class DeploymentDeleted(OfAPerson):
    """All replicas go for good."""


class DeploymentScaled(OfTheScaler):
    """So many replicas are wanted from now on."""

    before: NonNegativeInt
    after: NonNegativeInt
    reason: ScalingReason
    message: PlainText
    figures: ScalingFigures | None = None


class ReplicaAdded(OfTheScaler):
    """A replica is to be launched under this id."""

    ordinal: NonNegativeInt
    revision: PositiveInt
    generation: PositiveInt
    instance_id: UUID
    reason: Literal["scaled", "rollout"]


class ReplicaReplaced(OfTheScaler):
    """A replica has failed, and another takes its place: not before `not_before`, and not at the places in `avoid`.

    `failures` counts those in a row, this one included; `wasted` those of them that cost something and that no place
    explains. `code` and `message` are those of the instance that failed.
    """

    ordinal: NonNegativeInt
    former_instance_id: UUID
    generation: PositiveInt
    instance_id: UUID
    code: str
    message: PlainText
    failures: PositiveInt
    wasted: NonNegativeInt = 0
    not_before: AwareDatetime
    avoid: tuple[FailedPlace, ...] = ()


class ReplicaRemoved(OfTheScaler):
    """A replica is to be drained."""

    instance_id: UUID
    reason: Literal["scaled", "rollout", "paused", "deleted", "halted"]


class ReplicaEnded(OfTheScaler):
    """Nothing of a replica that was removed or replaced is paid for any more, or it was never launched."""

    instance_id: UUID


class ReplicaRefused(OfTheScaler):
    """A launch was refused, by a limit or because the model cannot be served so. It is tried again, and told once.

    `ordinal` is the replica's; events from before it was recorded have none.
    """

    ordinal: NonNegativeInt | None = None
    instance_id: UUID
    code: str
    message: PlainText


class DeploymentDegraded(OfTheScaler):
    """Fewer replicas are ready than wanted, and it does not pass by itself soon.

    `gave_up`: nothing more is ordered until somebody changes, restarts or resumes it.
    """

    wanted: NonNegativeInt
    ready: NonNegativeInt
    code: str
    message: PlainText
    gave_up: bool = False


class DeploymentRecovered(OfTheScaler):
    """As many replicas are ready as are wanted."""

    ready: NonNegativeInt


class RolloutStarted(OfTheScaler):
    """Replicas of a revision begin to replace those of the former one."""

    revision: PositiveInt
    former: PositiveInt


class RolloutFinished(OfTheScaler):
    """All replicas are of this revision."""

    revision: PositiveInt


class RolloutHalted(OfTheScaler):
    """The new revision did not become ready. The former keeps serving."""

    revision: PositiveInt
    code: str
    message: PlainText


DeploymentEvent: TypeAlias = (
    DeploymentCreated
    | DeploymentChanged
    | DeploymentPaused
    | DeploymentResumed
    | DeploymentDeleted
    | DeploymentScaled
    | ReplicaAdded
    | ReplicaReplaced
    | ReplicaRemoved
    | ReplicaEnded
    | ReplicaRefused
    | DeploymentDegraded
    | DeploymentRecovered
    | RolloutStarted
    | RolloutFinished
    | RolloutHalted
)

DEPLOYMENT_EVENTS: Final[dict[str, type[DeploymentEvent]]] = {kind.__name__: kind for kind in get_args(DeploymentEvent)}
"""Every event type of a deployment by its name."""


def conclusion_id(event: OfTheScaler) -> UUID:
    """The same for all who concluded the same from the same version."""
    said = event.model_dump_json(exclude={"occurred_at", "figures", "message", "not_before"})
    return uuid5(_NAMESPACE, f"{event.type()}/{said}")


def deployment_id(name: str, organization_id: UUID | None) -> UUID:
    """One for each name in each organisation, for ever: so no two deployments can have the same."""
    return uuid5(_NAMESPACE, f"deployment/{organization_id or ''}/{name}")


def replica_id(of: UUID, revision: int, ordinal: int, generation: int) -> UUID:
    """The instance's: the same for every scaler."""
    return uuid5(of, f"{revision}/{ordinal}/{generation}")
