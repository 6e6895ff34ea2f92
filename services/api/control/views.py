"""What the control API shows. Field names are a contract: users and tests rely on them."""

from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.api.access.keys import ApiKey
from shared.eta.estimate import Estimate
from shared.lifecycle.cost import cost
from shared.lifecycle.instance import Delay, Failure, Instance
from shared.lifecycle.status import Status

_CENTS_OF_CENTS: Final = 4


class InstanceView(BaseModel):
    """`step` is the last milestone reached, `step_since` when; `error` says why it failed and what to do, once it has.

    `delay`: what holds up what it is doing. `server_on`: whether its server costs anything now. `eta`: when it will be
    ready; None unless it is on its way.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    organization_id: UUID | None
    name: str
    provider: str
    zone: str | None
    instance_type: str | None
    model: str
    status: Status
    status_since: AwareDatetime
    progress_percent: int
    step: str
    step_since: AwareDatetime
    eta: Estimate | None
    attempt: int
    ip_address: str | None
    error: Failure | None
    delay: Delay | None
    hourly_price: float | None
    currency: str | None
    cost: float | None
    server_on: bool
    created_at: AwareDatetime
    ready_at: AwareDatetime | None
    updated_at: AwareDatetime
    version: int

    @classmethod
    def of(cls, instance: Instance, at: datetime, eta: Estimate | None) -> Self:
        """`cost` is what its server has cost until `at`, at list price; None while nobody knows the price."""
        specification, spent = instance.specification, cost(instance, at)
        return cls(
            id=instance.id,
            organization_id=specification.organization_id,
            name=specification.name,
            provider=specification.provider,
            zone=instance.zone,
            instance_type=instance.instance_type,
            model=specification.model,
            status=instance.status,
            status_since=instance.status_since,
            progress_percent=instance.progress_percent,
            step=instance.step,
            step_since=instance.progress_since or instance.updated_at,
            eta=eta,
            attempt=instance.attempt,
            ip_address=instance.ip_address,
            error=instance.error,
            delay=instance.delay,
            hourly_price=instance.hourly_price,
            currency=instance.currency,
            cost=None if spent is None else round(spent, _CENTS_OF_CENTS),
            server_on=instance.server_on,
            created_at=instance.created_at,
            ready_at=instance.ready_at,
            updated_at=instance.updated_at,
            version=instance.version,
        )


class NewInstance(InstanceView):
    """`warnings` say what most likely will not do, such as weights that leave no room; normally there is none."""

    warnings: list[str] = []


class TimelineRow(BaseModel):
    """One event: `occurred_at` by the clock of whoever saw it, `recorded_at` by the stream's; `data` is the fact."""

    model_config = ConfigDict(frozen=True)

    version: int
    sequence: int
    type: str
    status: Status
    progress_percent: int
    attempt: int
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    actor: str
    data: dict[str, Any]


class NewApiKey(ApiKey):
    """The only answer that ever holds the key itself."""

    key: str
