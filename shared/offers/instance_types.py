"""What each provider offers: written by the provisioner, read by the api, kept in one key-value bucket.

It stays valid while no provisioner runs; requests then wait. A running provisioner removes the entries of providers
that it does not have (all provisioners have the same ones).
"""

from collections.abc import Collection
from typing import Final, Literal

from nats.js import JetStreamContext
from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.bucket import KeyValueBucket
from shared.offers.gpus import why_unusable

BUCKET: Final = "instance_types"
STATUS: Final = "status."
"""Prefix of keys that hold a provider's status instead of its offers (`provider_status.py`)."""

Availability = Literal["available", "scarce", "shortage"]


class InstanceType(BaseModel):
    """A kind of server: `gpus` GPUs of the model `gpu`, offered in `zones`, those with stock first.

    `gpu_memory_gb` (of each GPU) and `memory_gb` are as their makers call them: 24, 48, 80. `scratch_gb` (10⁹ bytes) is
    fast storage of the machine itself, which a full stop erases; None without any. `hourly_price` is the list price of
    a running server in `currency`. `image` is that of its workers, unless a request names another; None if the
    provisioner has not told it.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    zones: tuple[str, ...]
    gpus: int = 0
    gpu: str | None = None
    gpu_memory_gb: float | None = None
    vcpus: int | None = None
    memory_gb: float | None = None
    scratch_gb: float | None = None
    hourly_price: float | None = None
    currency: str | None = None
    availability: dict[str, Availability] = {}
    image: str | None = None

    @property
    def all_gpu_memory_gb(self) -> float | None:
        """Of all its GPUs together; None where nobody knows."""
        return self.gpus * self.gpu_memory_gb if self.gpus and self.gpu_memory_gb else None

    @property
    def is_rented(self) -> bool:
        """Whether it is a cloud's. One's own machines have no price, and no boot volume of ours."""
        return self.hourly_price is not None

    @property
    def why_unusable(self) -> str | None:
        """Why no worker can run on it, as the end of a sentence; None if one can, or if nobody knows."""
        return why_unusable(self.gpu)

    def may_hold(self, least_gb: float | None) -> bool:
        """Whether its GPUs have so much memory, as far as anybody knows of both."""
        memory = self.all_gpu_memory_gb
        return least_gb is None or memory is None or memory >= least_gb


_TYPES: Final = TypeAdapter(tuple[InstanceType, ...])


class InstanceTypes:
    def __init__(self, jetstream: JetStreamContext, *, replicas: int) -> None:
        self._bucket = KeyValueBucket(jetstream, BUCKET, replicas)

    async def publish(self, provider: str, types: tuple[InstanceType, ...]) -> None:
        await self._bucket.put(provider, _TYPES.dump_json(types))

    async def keep_only(self, providers: Collection[str]) -> None:
        """Delete the offers of all other providers."""
        for name in await self.of_all():
            if name not in providers:
                await self._bucket.delete(name)

    async def of(self, provider: str) -> tuple[InstanceType, ...] | None:
        """None until a provisioner has published this provider's offers."""
        value = await self._bucket.get(provider)
        return None if value is None else _TYPES.validate_json(value or b"[]")

    async def of_all(self) -> dict[str, tuple[InstanceType, ...]]:
        """All published offers, by provider name."""
        names = [name for name in await self._bucket.keys() if not name.startswith(STATUS)]
        offers = {name: await self.of(name) for name in names}
        return {name: types for name, types in offers.items() if types is not None}
