"""A key-value bucket on JetStream. The first writer creates it; before that, readers find nothing."""

from dataclasses import dataclass

from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import BucketNotFoundError, KeyNotFoundError, NotFoundError
from nats.js.kv import KeyValue


@dataclass(frozen=True)
class KeyValueBucket:
    """`kept_s`: how long a value is kept, None for ever. Every method raises nats.errors.Error."""

    jetstream: JetStreamContext
    name: str
    replicas: int
    kept_s: float | None = None

    async def make(self) -> KeyValue:
        """Make the bucket unless it is there."""
        return await self.jetstream.create_key_value(
            KeyValueConfig(bucket=self.name, ttl=self.kept_s, storage=StorageType.FILE, replicas=self.replicas)
        )

    async def put(self, key: str, value: bytes) -> None:
        await (await self.make()).put(key, value)

    async def get(self, key: str) -> bytes | None:
        try:
            entry = await (await self.jetstream.key_value(self.name)).get(key)
        except (BucketNotFoundError, KeyNotFoundError):
            return None
        return entry.value or b""

    async def delete(self, key: str) -> None:
        await (await self.jetstream.key_value(self.name)).delete(key)

    async def keys(self, prefix: str = "") -> list[str]:
        """Sorted, deleted ones included. Not nats-py's `keys()`, which makes a consumer that lingers for seconds."""
        subjects = f"$KV.{self.name}."
        try:
            info = await self.jetstream.stream_info(f"KV_{self.name}", subjects_filter=f"{subjects}{prefix}>")
        except NotFoundError:
            return []
        return sorted(subject.removeprefix(subjects) for subject in info.state.subjects or ())
