"""Whether each provider is usable: written by the provisioner beside its instance types, read by the api."""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Final

from nats.js import JetStreamContext
from pydantic import BaseModel, ConfigDict

from shared.bucket import KeyValueBucket
from shared.offers.instance_types import BUCKET, STATUS
from shared.plain_text import plain_line

_LONGEST: Final = 400
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""Scaleway's secret keys look like this, and a cloud's answer may repeat one from the request."""


class ProviderStatus(BaseModel):
    """`reason` is for people, and None if all is well; `since` is the start of this state."""

    model_config = ConfigDict(frozen=True)
    provider: str
    reason: str | None = None
    since: datetime
    next_try_at: datetime | None = None


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


def redacted(reason: str) -> str:
    """One line, printable, of limited length, without anything that may be a secret key."""
    return plain_line(_UUID.sub("…", reason))[:_LONGEST]
