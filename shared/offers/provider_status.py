"""Whether each provider answers as it should: written by the provisioner beside its instance types, read by the api."""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import BucketNotFoundError, KeyNotFoundError, NotFoundError
from pydantic import BaseModel, ConfigDict

from shared.offers.instance_types import BUCKET, STATUS
from shared.plain_text import plain_line

_LONGEST: Final = 400
_SUBJECTS: Final = f"$KV.{BUCKET}.{STATUS}"
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""Scaleway's secret keys are such; what a cloud repeats of a request may hold one."""


class ProviderStatus(BaseModel):
    """`reason` is for people, and None when all is well; `since` when it began to be as it is."""

    model_config = ConfigDict(frozen=True)
    provider: str
    reason: str | None = None
    since: datetime
    next_try_at: datetime | None = None


class ProviderStatuses:
    def __init__(self, jetstream: JetStreamContext, *, replicas: int) -> None:
        self._jetstream = jetstream
        self._replicas = replicas

    async def tell(self, status: ProviderStatus) -> None:
        config = KeyValueConfig(bucket=BUCKET, storage=StorageType.FILE, replicas=self._replicas)
        bucket = await self._jetstream.create_key_value(config)
        await bucket.put(STATUS + status.provider, status.model_dump_json().encode())

    async def of(self, provider: str) -> ProviderStatus | None:
        """None as long as no provisioner has told."""
        try:
            entry = await (await self._jetstream.key_value(BUCKET)).get(STATUS + provider)
        except (BucketNotFoundError, KeyNotFoundError):
            return None
        return ProviderStatus.model_validate_json(entry.value or b"")

    async def of_all(self) -> list[ProviderStatus]:
        told = [await self.of(name) for name in await self._names()]
        return [status for status in told if status is not None]

    async def keep_only(self, providers: Collection[str]) -> None:
        """Forget how any other provider was."""
        for name in await self._names():
            if name not in providers and await self.of(name) is not None:
                await (await self._jetstream.key_value(BUCKET)).delete(STATUS + name)

    async def _names(self) -> list[str]:
        try:
            info = await self._jetstream.stream_info(f"KV_{BUCKET}", subjects_filter=f"{_SUBJECTS}>")
        except NotFoundError:
            return []
        return sorted(subject.removeprefix(_SUBJECTS) for subject in info.state.subjects or ())


def redacted(reason: str) -> str:
    """One line, printable, not too long, without what may be a secret key."""
    return plain_line(_UUID.sub("…", reason))[:_LONGEST]
