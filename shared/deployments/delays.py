"""What keeps replicas from being ready: the cause, since when, and when the next try is. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from shared.deployments.deployment import Replica
from shared.lifecycle.instance import Delay
from shared.plain_text import PlainText


class LaunchDescribed(Protocol):
    """What counts of an instance's description."""

    @property
    def launching(self) -> bool: ...
    @property
    def delay(self) -> Delay | None: ...
    @property
    def step_since(self) -> datetime: ...


class ReplicaDelay(BaseModel):
    """A replica has got no further since `since`. `next_try_at` is None if that is not known."""

    model_config = ConfigDict(frozen=True)
    ordinal: NonNegativeInt
    revision: PositiveInt
    code: str
    reason: PlainText
    since: AwareDatetime
    next_try_at: AwareDatetime | None

    @property
    def words(self) -> str:
        return f"replica {self.ordinal}: {self.reason}"


def delay_of(replicas: Iterable[Replica], instances: Mapping[UUID, LaunchDescribed]) -> ReplicaDelay | None:
    """The first of the newest revision that has one: that is what a rollout waits for."""
    found = delays(replicas, instances)
    return max(found, key=lambda delay: delay.revision, default=None)


def delays(replicas: Iterable[Replica], instances: Mapping[UUID, LaunchDescribed]) -> list[ReplicaDelay]:
    """Of those that stay."""
    staying = (replica for replica in replicas if not replica.leaving)
    found = (_delay(replica, instances.get(replica.instance_id)) for replica in staying)
    return [delay for delay in found if delay is not None]


def _delay(replica: Replica, instance: LaunchDescribed | None) -> ReplicaDelay | None:
    its = {"ordinal": replica.ordinal, "revision": replica.revision}
    if instance is not None:
        delay = instance.delay
        if delay is None or not instance.launching:
            return None
        return ReplicaDelay(
            **its, code=delay.code, reason=delay.reason, since=instance.step_since, next_try_at=delay.next_try_at
        )
    if (trouble := replica.refusal or replica.failure) is None:
        return None
    next_try_at = None if replica.refusal else replica.not_before
    return ReplicaDelay(**its, code=trouble.code, reason=trouble.message, since=trouble.since, next_try_at=next_try_at)
