"""Whether each provider is usable: written by the provisioner beside its instance types, read by the api."""

import re
from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from nats.js import JetStreamContext
from pydantic import BaseModel, ConfigDict, field_validator

from shared.bucket import KeyValueBucket
from shared.offers.instance_types import BUCKET, STATUS
from shared.plain_text import plain_line

_LONGEST: Final = 400
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""Scaleway's secret keys look like this, and a cloud's answer may repeat one from the request."""


class CheckOutcome(StrEnum):
    """`limited`: some launches cannot succeed; `failed`: none can; `unknown`: the provider does not let it be asked."""

    PASSED = "passed"
    LIMITED = "limited"
    FAILED = "failed"
    UNKNOWN = "unknown"


PROBLEMS: Final = frozenset({CheckOutcome.LIMITED, CheckOutcome.FAILED})


class ProviderCheck(BaseModel):
    """A question to a provider and its answer, for people: `subject` is one or two words, such as `quota`."""

    model_config = ConfigDict(frozen=True)
    subject: str
    outcome: CheckOutcome
    detail: str

    @field_validator("detail")
    @classmethod
    def _safe(cls, detail: str) -> str:
        return redacted(detail)

    @classmethod
    def passed(cls, subject: str, detail: str) -> Self:
        return cls(subject=subject, outcome=CheckOutcome.PASSED, detail=detail)

    @classmethod
    def limited(cls, subject: str, detail: str) -> Self:
        return cls(subject=subject, outcome=CheckOutcome.LIMITED, detail=detail)

    @classmethod
    def failed(cls, subject: str, detail: str) -> Self:
        return cls(subject=subject, outcome=CheckOutcome.FAILED, detail=detail)

    @classmethod
    def unknown(cls, subject: str, detail: str) -> Self:
        return cls(subject=subject, outcome=CheckOutcome.UNKNOWN, detail=detail)

    @classmethod
    def by_extent(cls, subject: str, affected: int, total: int, problem: str, otherwise: str) -> Self:
        """Failed with the problem if it affects all, limited if it affects some, else passed."""
        if affected == total:
            return cls.failed(subject, problem)
        return cls.limited(subject, problem) if affected else cls.passed(subject, otherwise)


class ProviderStatus(BaseModel):
    """`reason` is why nothing can be launched, for people, and None if something can; `since` is the start of this.

    `checks` are the questions that led to it, asked at `checked_at`.
    """

    model_config = ConfigDict(frozen=True)
    provider: str
    reason: str | None = None
    since: datetime
    next_try_at: datetime | None = None
    checks: tuple[ProviderCheck, ...] = ()
    checked_at: datetime | None = None


class ProviderStatuses:
    def __init__(self, jetstream: JetStreamContext, *, replicas: int) -> None:
        self._bucket = KeyValueBucket(jetstream, BUCKET, replicas)

    async def publish(self, status: ProviderStatus) -> None:
        await self._bucket.put(STATUS + status.provider, status.model_dump_json().encode())

    async def of(self, provider: str) -> ProviderStatus | None:
        """None until a provisioner has published it."""
        value = await self._bucket.get(STATUS + provider)
        return None if value is None else ProviderStatus.model_validate_json(value)

    async def of_all(self) -> list[ProviderStatus]:
        statuses = [await self.of(name) for name in await self._names()]
        return [status for status in statuses if status is not None]

    async def keep_only(self, providers: Collection[str]) -> None:
        """Delete the status of all other providers."""
        for name in await self._names():
            if name not in providers and await self.of(name) is not None:
                await self._bucket.delete(STATUS + name)

    async def _names(self) -> list[str]:
        return [key.removeprefix(STATUS) for key in await self._bucket.keys(STATUS)]


def reason_of(checks: Iterable[ProviderCheck]) -> str | None:
    """Why nothing can be launched; None if something can."""
    failed = [check.detail for check in checks if check.outcome is CheckOutcome.FAILED]
    return redacted("; ".join(failed)) if failed else None


def redacted(reason: str) -> str:
    """One line, printable, of limited length, without anything that may be a secret key."""
    return plain_line(_UUID.sub("…", reason))[:_LONGEST]
