"""Made-up usage of requests."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

from services.api.usage.log import Usage
from tests.api.stage import MODEL

NOON: Final = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOBODY: Final = UUID("99999999-9999-4999-8999-999999999999")


def used(at: datetime = NOON, **changes: Any) -> Usage:
    """One request that was answered."""
    return Usage(
        id=uuid4(),
        at=at,
        key_id=NOBODY,
        organization_id=None,
        model=MODEL,
        instance_id=NOBODY,
        endpoint="chat",
        status=200,
        prompt_tokens=100,
        completion_tokens=20,
        estimated=False,
        first_byte_ms=40.0,
        duration_ms=1_500.0,
    )._replace(**changes)
