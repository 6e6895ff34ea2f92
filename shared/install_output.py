"""What an install prints, while it runs and for a week after: written by the provisioner, read by the api.

It is for people to look at, and no part of the journal: the facts in it are events of their own.
"""

from typing import Final
from uuid import UUID

from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import BucketNotFoundError, KeyNotFoundError
from nats.js.kv import KeyValue
from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.plain_text import Told

BUCKET: Final = "install_output"
KEPT_S: Final = 7 * 86_400.0
MOST_LINES: Final = 200


class OutputLine(BaseModel):
    """`number` counts from 1 within its try; `at` is when the provisioner read it. No secret is in `text`."""

    model_config = ConfigDict(frozen=True)
    number: int
    at: AwareDatetime
    text: Told


class InstallOutput(BaseModel):
    """The last `MOST_LINES` lines of one try of one attempt."""

    model_config = ConfigDict(frozen=True)
    attempt: int
    install_try: int
    lines: tuple[OutputLine, ...]
    updated_at: AwareDatetime


class InstallOutputs:
    """The latest of each instance, in one key-value bucket."""

    def __init__(self, jetstream: JetStreamContext, *, replicas: int) -> None:
        self._jetstream = jetstream
        self._replicas = replicas
        self._bucket: KeyValue | None = None

    async def tell(self, instance_id: UUID, output: InstallOutput) -> None:
        """In place of what was told of this instance before. Raises nats.errors.Error."""
        if self._bucket is None:
            config = KeyValueConfig(bucket=BUCKET, ttl=KEPT_S, storage=StorageType.FILE, replicas=self._replicas)
            self._bucket = await self._jetstream.create_key_value(config)
        await self._bucket.put(str(instance_id), output.model_dump_json().encode())

    async def of(self, instance_id: UUID) -> InstallOutput | None:
        """None when nothing was printed yet, or too long ago. Raises nats.errors.Error."""
        try:
            entry = await (await self._jetstream.key_value(BUCKET)).get(str(instance_id))
        except (BucketNotFoundError, KeyNotFoundError):
            return None
        return InstallOutput.model_validate_json(entry.value or b"")
