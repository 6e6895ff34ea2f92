"""The one description of an instance: what lists, event streams, the command line and the console show of it.

Whatever follows from an instance follows here, so that nobody who shows one derives it again. Field names are a
contract: users and tests rely on them.
"""

from datetime import datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.actor import Actor
from shared.eta.estimate import Estimate
from shared.lifecycle.cost import cost
from shared.lifecycle.decide import Intent, possible_actions
from shared.lifecycle.events import SshInstallStarted
from shared.lifecycle.groups import GROUPS, ON_THEIR_WAY, SETTLED, StatusGroup
from shared.lifecycle.instance import Delay, Failure, Instance
from shared.lifecycle.progress import label
from shared.lifecycle.status import SERVING, Status
from shared.lifecycle.tone import TONES, Tone
from shared.lifecycle.transport import WorkerTls
from shared.lifecycle.wish import OfDeployment, Purpose, Task
from shared.lifecycle.words import NAMES, advice, doing, loss, waits_for, where
from shared.plain_text import PlainText

_CENTS_OF_CENTS: Final = 4
_HOUR: Final = timedelta(hours=1)


class Description(BaseModel):
    """An instance at the moment `as_of`.

    `step` is the last milestone reached, at `step_since`. After a failure `error` says why, `advice` what to do.
    `doing` says in words what it is doing; of a failed instance, why it failed. `where` says the same, but of a failed
    instance, at which step it failed. Each is empty if the status says it all. `waits_for` is the step, or the
    phase of the install, that a launch waits for; None for what does not launch. `delay` is what holds the step up.
    `serving`: requests may be running on it. `actions` are the actions that are possible now. `cost` is what its server
    has cost until `as_of`, at list price; None while the price is not known. `server_on`: its server costs money now.
    `image` is the worker's, once the machine has chosen the build that its driver can run; `vllm_version` is which
    vLLM that says it is. `worker_tls` is how it is talked to; None before an install of it has begun. `replica`:
    which one of which deployment it is, if it is one. `purpose`: to `serve`, or to build a
    `machine_image`. `created_by` asked for it, `requested_by` for the last thing that anybody asked of it; None where
    that was not recorded.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    organization_id: UUID | None
    name: str
    provider: str
    zone: str | None
    instance_type: str | None
    model: str
    task: Task
    purpose: Purpose = "serve"
    replica: OfDeployment | None = None
    status: Status
    status_label: PlainText
    status_since: AwareDatetime
    group: StatusGroup
    tone: Tone
    progress_percent: int
    step: str
    step_label: PlainText
    step_since: AwareDatetime
    doing: PlainText
    where: PlainText
    waits_for: PlainText | None = None
    attempt: int
    image: str | None = None
    vllm_version: str | None = None
    worker_tls: WorkerTls | None = None
    ip_address: str | None
    error: Failure | None
    advice: PlainText | None
    delay: Delay | None
    serving: bool
    actions: tuple[Intent, ...]
    hourly_price: float | None
    currency: str | None
    cost: float | None
    server_on: bool
    created_by: Actor | None = None
    requested_by: Actor | None = None
    created_at: AwareDatetime
    ready_at: AwareDatetime | None
    updated_at: AwareDatetime
    as_of: AwareDatetime
    version: int

    @classmethod
    def of(cls, instance: Instance, at: datetime, **more: Any) -> Self:
        """`more`: the fields that a subclass has besides."""
        specification, status, spent = instance.specification, instance.status, cost(instance, at)
        return cls(
            id=instance.id,
            organization_id=specification.organization_id,
            name=specification.name,
            provider=specification.provider,
            zone=instance.zone,
            instance_type=instance.instance_type,
            model=specification.model,
            task=specification.task,
            purpose=specification.purpose,
            replica=specification.replica,
            status=status,
            status_label=NAMES[status],
            status_since=instance.status_since,
            group=GROUPS[status],
            tone=TONES[status],
            progress_percent=instance.progress_percent,
            step=instance.step,
            step_label=label(instance.step),
            step_since=instance.progress_since or instance.updated_at,
            doing=loss(instance) or doing(status, instance.step, instance.error, instance.delay),
            where=loss(instance) or where(status, instance.step, instance.delay),
            waits_for=waits_for(instance),
            attempt=instance.attempt,
            image=instance.install.image,
            vllm_version=instance.vllm_version,
            worker_tls=instance.worker_tls if instance.reached(SshInstallStarted) else None,
            ip_address=instance.ip_address,
            error=instance.error,
            advice=advice(instance),
            delay=instance.delay,
            serving=status in SERVING,
            actions=possible_actions(instance, at),
            hourly_price=instance.hourly_price,
            currency=instance.currency,
            cost=None if spent is None else round(spent, _CENTS_OF_CENTS),
            server_on=instance.server_on,
            created_by=instance.created_by,
            requested_by=instance.requested_by,
            created_at=instance.created_at,
            ready_at=instance.ready_at,
            updated_at=instance.updated_at,
            as_of=at,
            version=instance.version,
            **more,
        )

    @property
    def use(self) -> str:
        """The model that it serves, or what it is for instead."""
        if self.purpose == "serve":
            return self.model
        return f"builds a machine image with {self.model}" if self.model else "builds a machine image"

    @property
    def place(self) -> str:
        """Its zone; the provider while it has none."""
        return self.zone or self.provider

    @property
    def launching(self) -> bool:
        """It works through the steps of a launch."""
        return self.group is StatusGroup.LAUNCHING

    @property
    def on_its_way(self) -> bool:
        """It will be ready, for the first time or again."""
        return self.group in ON_THEIR_WAY

    @property
    def settled(self) -> bool:
        """It stays as it is until somebody, or something outside, changes it."""
        return self.group in SETTLED

    def cost_after(self, passed: timedelta) -> float | None:
        """`cost` so long after this was described, if its server stays as it is."""
        if self.cost is None or self.hourly_price is None or not self.server_on:
            return self.cost
        return self.cost + self.hourly_price * (max(passed, timedelta()) / _HOUR)


class InstanceView(Description):
    """`eta`: when it will be ready; None unless it is on its way."""

    eta: Estimate | None


class NewInstance(InstanceView):
    """`warnings` say what most likely will not work, such as weights that leave no room. Normally there is none."""

    warnings: list[str] = []
