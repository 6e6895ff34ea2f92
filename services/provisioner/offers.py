"""What the providers have to offer: asked now and then, told to the other services, and looked up by a launch."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from services.provisioner.pauses import backoff_s
from services.provisioner.provider import Provider, ProviderError
from services.provisioner.settings import ProvisionerSettings
from shared.bus.instance_types import InstanceType, InstanceTypes

log = structlog.get_logger()


@dataclass(frozen=True)
class _Asked:
    types: tuple[InstanceType, ...]
    at: float


class Offers:
    """Each provider is asked at most every `instance_types_seconds`."""

    def __init__(self, providers: Mapping[str, Provider], settings: ProvisionerSettings) -> None:
        self._providers = providers
        self._settings = settings
        self._asked: dict[str, _Asked] = {}
        self._asking = {name: asyncio.Lock() for name in providers}

    async def of(self, provider: str) -> tuple[InstanceType, ...]:
        """Raises ProviderError."""
        async with self._asking[provider]:
            asked = self._asked.get(provider)
            if asked is None or time.monotonic() - asked.at >= self._settings.instance_types_seconds:
                asked = _Asked(await self._providers[provider].instance_types(), time.monotonic())
                self._asked[provider] = asked
            return asked.types

    async def if_known(self, provider: str) -> tuple[InstanceType, ...]:
        """None of them when the provider cannot tell: no launch waits for a price."""
        try:
            return await self.of(provider)
        except ProviderError as error:
            log.warning("instance types not known", provider=provider, reason=str(error))
            return ()

    async def tell(self, provider: str, bucket: InstanceTypes) -> None:
        """Tell the other services what this provider offers, again and again; the owner cancels it."""
        failures = 0
        while True:
            try:
                await bucket.publish(provider, await self.of(provider))
            except Exception:  # the loop's bound: what cannot be told now is told soon after
                failures += 1
                log.exception("instance types not told", provider=provider)
                first, longest = self._settings.backoff_seconds, self._settings.longest_backoff_seconds
                await asyncio.sleep(backoff_s(failures, first, longest))
            else:
                failures = 0
                await asyncio.sleep(self._settings.instance_types_seconds)
