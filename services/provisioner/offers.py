"""The providers' offers: read regularly, published to the other services, and looked up by launches."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from services.provisioner.check import checked
from services.provisioner.provider import Provider, ProviderError, TryAgain
from services.provisioner.settings import ProvisionerSettings
from shared.clock import CLOCK
from shared.offers.instance_types import InstanceType, InstanceTypes
from shared.offers.provider_status import PROBLEMS, ProviderCheck, ProviderStatus, ProviderStatuses, reason_of
from shared.retry import backoff_s

UNEXPECTED: Final = "unexpected"

log = structlog.get_logger()


@dataclass(frozen=True)
class _Asked:
    """`outcome` is served until `until`, even a failure: of a thousand launches, one waits for a hanging cloud."""

    outcome: tuple[InstanceType, ...] | ProviderError
    until: float


class Offers:
    """Asks each provider at most every `instance_types_seconds`; after a failure, by the next try at the latest."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        settings: ProvisionerSettings,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._providers = providers
        self._settings = settings
        self._monotonic = monotonic
        self._asked: dict[str, _Asked] = {}
        self._known: dict[str, tuple[InstanceType, ...]] = {}
        self._asking = {name: asyncio.Lock() for name in providers}

    async def of(self, provider: str) -> tuple[InstanceType, ...]:
        """Raises ProviderError."""
        async with self._asking[provider]:
            asked = self._asked.get(provider)
            if asked is None or self._monotonic() >= asked.until:
                asked = self._asked[provider] = await self._ask(provider)
        if isinstance(asked.outcome, ProviderError):
            raise asked.outcome.with_traceback(None)
        return asked.outcome

    async def if_known(self, provider: str) -> tuple[InstanceType, ...]:
        """The last known offers, however old; none if there never were any: no launch waits for a price."""
        if provider in self._known:
            return self._known[provider]
        try:
            return await self.of(provider)
        except ProviderError as error:
            log.warning("instance types not known", provider=provider, reason=str(error))
            return ()

    async def _ask(self, provider: str) -> _Asked:
        """Unexpected errors are outcomes, too: whatever is wrong with a price list, the launch continues without it."""
        try:
            types = await self._providers[provider].instance_types()
        except ProviderError as error:
            return self._failed(error)
        except Exception as error:
            log.exception("reading instance types failed unexpectedly", provider=provider)
            return self._failed(TryAgain(UNEXPECTED, f"the list of types cannot be read: {type(error).__name__}"))
        self._known[provider] = types
        return _Asked(types, self._monotonic() + self._settings.instance_types_seconds)

    def _failed(self, error: ProviderError) -> _Asked:
        """The shortest pause before a next try is half of `backoff_seconds`."""
        return _Asked(error, self._monotonic() + self._settings.backoff_seconds / 2)

    async def keep_publishing(self, provider: str, bucket: InstanceTypes, statuses: ProviderStatuses) -> None:
        """Publish this provider's offers and status to the other services, and that there are no other providers.

        The owner cancels it.
        """
        failures = 0
        status: ProviderStatus | None = None
        while True:
            try:
                await bucket.keep_only(self._providers)
                await statuses.keep_only(self._providers)
                status = status or await statuses.of(provider)  # it may have begun before this process
                checks = await self._publish_offers(provider, bucket)
                reason = reason_of(checks)
                failures = 0 if reason is None else failures + 1
                pause = self._pause(failures)
                _log_problems(provider, set(checks) - set(status.checks if status else ()))
                status = _status(provider, status, checks, pause)
                await statuses.publish(status)
            except Exception:  # the loop's bound: what cannot be published now is published soon after
                failures += 1
                pause = self._pause(failures)
                log.exception("instance types not published", provider=provider)
            await asyncio.sleep(pause)

    async def _publish_offers(self, provider: str, bucket: InstanceTypes) -> tuple[ProviderCheck, ...]:
        """Price lists are public, so they are published whatever the provider thinks of our key."""
        outcome: tuple[InstanceType, ...] | ProviderError
        try:
            outcome = await self.of(provider)
            await bucket.publish(provider, self._with_images(outcome))
        except ProviderError as error:
            outcome = error

        async def published() -> tuple[InstanceType, ...]:
            if isinstance(outcome, ProviderError):
                raise outcome
            return outcome

        return await checked(self._providers[provider], published)

    def _with_images(self, types: tuple[InstanceType, ...]) -> tuple[InstanceType, ...]:
        return tuple(kind.model_copy(update={"image": self._settings.image_for(kind.name)}) for kind in types)

    def _pause(self, failures: int) -> float:
        if not failures:
            return self._settings.instance_types_seconds
        return backoff_s(failures, self._settings.backoff_seconds, self._settings.longest_backoff_seconds)


def _log_problems(provider: str, checks: Iterable[ProviderCheck]) -> None:
    for check in checks:
        if check.outcome in PROBLEMS:
            log.warning("provider check not passed", provider=provider, **check.model_dump(mode="json"))


def _status(
    provider: str, before: ProviderStatus | None, checks: tuple[ProviderCheck, ...], pause: float
) -> ProviderStatus:
    """`since` changes only between usable and unusable, not with the reason."""
    now, reason = CLOCK.now(), reason_of(checks)
    same = before is not None and (before.reason is None) == (reason is None)
    return ProviderStatus(
        provider=provider,
        reason=reason,
        since=before.since if before and same else now,
        next_try_at=now + timedelta(seconds=pause) if reason else None,
        checks=checks,
        checked_at=now,
    )
