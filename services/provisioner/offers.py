"""What the provider has to offer, told to the other services."""

import asyncio

import structlog

from services.provisioner.provider import Provider
from services.provisioner.retry import backoff_s
from services.provisioner.settings import ProvisionerSettings
from shared.bus.instance_types import InstanceTypes

log = structlog.get_logger()


class Offers:
    def __init__(self, provider: Provider, instance_types: InstanceTypes, settings: ProvisionerSettings) -> None:
        self._provider = provider
        self._instance_types = instance_types
        self._settings = settings

    async def for_ever(self) -> None:
        """The owner cancels it."""
        failures = 0
        while True:
            try:
                await self._instance_types.publish(self._provider.name, await self._provider.instance_types())
            except Exception:  # the loop's bound: what cannot be told now is told soon after
                failures += 1
                log.exception("instance types not told")
                first, longest = self._settings.backoff_seconds, self._settings.longest_backoff_seconds
                await asyncio.sleep(backoff_s(failures, first, longest))
            else:
                failures = 0
                await asyncio.sleep(self._settings.instance_types_seconds)
