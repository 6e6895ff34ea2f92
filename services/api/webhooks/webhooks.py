"""Webhooks, and the messages that they get."""

from enum import StrEnum
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, computed_field


class WebhookState(BaseModel):
    """`organization_id` is whose it is, null the installation's. A filter that is null lets everything pass.

    `switched_off` says why it gets nothing: by request, because it was failing, or because its receiver is gone.
    `failing_since` is its first failed try since the last success, and `failures` counts them. `waiting` counts the
    messages that are yet to be delivered. Until `former_secret_until`, messages are signed with the former secret, too.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    organization_id: UUID | None
    url: str
    description: str
    events: list[str] | None
    models: list[str] | None
    enabled: bool
    switched_off: Literal["request", "failing", "gone"] | None
    switched_off_at: AwareDatetime | None
    failing_since: AwareDatetime | None
    failures: int
    waiting: int
    secret_number: int
    former_secret_until: AwareDatetime | None
    created_at: AwareDatetime

    @computed_field  # type: ignore[prop-decorator]  # https://github.com/python/mypy/issues/1362
    @property
    def status(self) -> Literal["active", "failing", "off"]:
        if not self.enabled:
            return "off"
        return "failing" if self.failing_since else "active"


class Webhook(WebhookState):
    """As it is stored. `organizations`: the events of these only, None: of any."""

    organizations: list[UUID] | None

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls.model_validate(dict(row))


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


class Delivery(BaseModel):
    """A message for a webhook. `message_id` is its header `webhook-id`; `sequence` its event's place in the stream.

    `status` is that of the last answer, null if there was none; `reason` says why the last try failed.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    kind: Literal["event", "replay", "test", "notice"]
    message_id: str
    type: str
    sequence: int | None
    state: DeliveryState
    tries: int
    next_try_at: AwareDatetime | None
    status: int | None
    reason: str | None
    created_at: AwareDatetime
    tried_at: AwareDatetime | None
    finished_at: AwareDatetime | None

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls.model_validate(dict(row))
