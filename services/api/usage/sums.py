"""Sums of usage."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True)
class Failures:
    """Which statuses are failures: those from `lowest` on, except `client_left`."""

    lowest: int
    client_left: int


class Milliseconds(BaseModel):
    model_config = ConfigDict(frozen=True)
    p50: float | None
    p95: float | None


class UsageSum(BaseModel):
    """Fields that `group_by` does not name are null. `first_byte_ms` is the time until a worker's answer began.

    `requests_untold`: requests whose worker did not report all its tokens; for a stream, its chunks were then counted
    as its completion tokens.
    """

    model_config = ConfigDict(frozen=True)
    day: date | None
    key_id: UUID | None
    organization_id: UUID | None
    model: str | None
    instance_id: UUID | None
    requests: int
    failed_requests: int
    prompt_tokens: int
    completion_tokens: int
    requests_untold: int
    first_byte_ms: Milliseconds
    duration_ms: Milliseconds

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        def shown(name: str) -> Milliseconds:
            p50, p95 = row[name] or (None, None)
            return Milliseconds(p50=p50, p95=p95)

        return cls.model_validate({**row, "first_byte_ms": shown("first_byte_ms"), "duration_ms": shown("duration_ms")})
