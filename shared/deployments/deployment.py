"""The deployment after its events: the snapshot that every event of it carries."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from shared.actor import Actor
from shared.deployments.wish import DeploymentWish, Template
from shared.lifecycle.wish import FailedPlace
from shared.plain_text import PlainText


class DeploymentStatus(StrEnum):
    """`deleted`: replicas may still be on their way out; they are in `replicas` until they are gone."""

    ACTIVE = "active"
    PAUSED = "paused"
    DELETED = "deleted"


class DeploymentTrouble(BaseModel):
    """`code` is stable, for programs; `message` says what to do, for people."""

    model_config = ConfigDict(frozen=True)
    code: str
    message: PlainText
    since: AwareDatetime


class Replica(BaseModel):
    """A place for an instance. Its id says which instance: that of this ordinal, revision and generation.

    `leaving`: it is to be drained, since `leaving_since`, and is kept here until it has ended. `failures` in a row led
    to this generation, which may be launched from `not_before` on, at no place in `avoid`; `failure` is the last one.
    `wasted` of them cost something, and no place explains them. `refusal`: why it could not be launched yet.
    """

    model_config = ConfigDict(frozen=True)
    ordinal: NonNegativeInt
    revision: PositiveInt
    generation: PositiveInt
    instance_id: UUID
    leaving: bool = False
    leaving_since: AwareDatetime | None = None
    failures: NonNegativeInt = 0
    wasted: NonNegativeInt = 0
    failure: DeploymentTrouble | None = None
    not_before: AwareDatetime | None = None
    avoid: tuple[FailedPlace, ...] = ()
    refusal: DeploymentTrouble | None = None


class RolloutState(BaseModel):
    """`former` is the revision that serves until this one does. `halted`: why the new one was given up."""

    model_config = ConfigDict(frozen=True)
    revision: PositiveInt
    former: PositiveInt
    since: AwareDatetime
    halted: DeploymentTrouble | None = None


class Degraded(DeploymentTrouble):
    """`gave_up`: nothing more is ordered until somebody changes, restarts or resumes the deployment."""

    gave_up: bool = False


class Deployment(BaseModel):
    """`version` counts its events from 1. `wanted` replicas serve, beside those that a rollout adds.

    `replicas` are in the order in which they were added, replacements too. `generations` has the last generation of
    each ordinal, so that none comes twice.

    `revision` is what the owner wants; `serving_revision` what was last rolled out, with `serving_template` (the one to
    go back to while a rollout halts). `previous_template` is what `rollback` returns to.

    `created_by` is who asked for it, `requested_by` who last changed anything. Both only know what was recorded,
    and are left out where nothing was.
    """

    model_config = ConfigDict(frozen=True)
    id: UUID
    version: PositiveInt = 1
    wish: DeploymentWish
    status: DeploymentStatus = DeploymentStatus.ACTIVE
    revision: PositiveInt
    serving_revision: PositiveInt
    serving_template: Template
    previous_template: Template | None = None
    wanted: NonNegativeInt = 0
    scaled_at: AwareDatetime | None = None
    replicas: tuple[Replica, ...] = ()
    generations: tuple[NonNegativeInt, ...] = ()
    rollout: RolloutState | None = None
    degraded: Degraded | None = None
    created_by: Annotated[Actor | None, Field(exclude_if=lambda actor: actor is None)] = None
    requested_by: Annotated[Actor | None, Field(exclude_if=lambda actor: actor is None)] = None
    created_at: AwareDatetime
    status_since: AwareDatetime
    updated_at: AwareDatetime

    @property
    def name(self) -> str:
        return self.wish.name

    @property
    def organization_id(self) -> UUID | None:
        return self.wish.organization_id

    @property
    def staying(self) -> tuple[Replica, ...]:
        """Its replicas without those that leave."""
        return tuple(replica for replica in self.replicas if not replica.leaving)

    @property
    def over(self) -> bool:
        """It was deleted, and nothing of it is left."""
        return self.status is DeploymentStatus.DELETED and not self.replicas

    @property
    def gave_up(self) -> bool:
        """Nothing more is ordered until somebody changes, restarts or resumes it."""
        return self.degraded is not None and self.degraded.gave_up

    @property
    def next_template(self) -> Template:
        """What a replica that is added now is: of a rollout that was halted, nothing more comes."""
        halted = self.rollout is not None and self.rollout.halted is not None
        return self.serving_template if halted else self.wish.template

    def next_generation(self, ordinal: int) -> int:
        """No instance of this ordinal had it before."""
        return self.generations[ordinal] + 1 if ordinal < len(self.generations) else 1

    def template_of(self, revision: int) -> Template:
        """What replicas of this revision are: of any other than the newest, what is served."""
        return self.wish.template if revision == self.revision else self.serving_template
