"""The control API's answers. Field names are a contract: users and tests rely on them."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.actor import Actor
from shared.lifecycle.status import Status


class TimelineRow(BaseModel):
    """One event: `occurred_at` by its observer's clock, `recorded_at` by the stream's; `data` is the fact.

    `actor` is the service that recorded it; `requested_by` who asked for it, null if nobody did.
    """

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
    requested_by: Actor | None
    data: dict[str, Any]
