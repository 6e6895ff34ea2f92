"""Asks providers whether anything can be launched there: the command `check`, and the service from time to time.

The command needs neither NATS nor PostgreSQL.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final
from uuid import UUID

import structlog

from services.provisioner.provider import Provider, ProviderError
from services.provisioner.providers.registration import MakeProvider
from shared.offers.instance_types import InstanceType
from shared.offers.provider_status import CheckOutcome, ProviderCheck

_NOBODY: UUID = UUID(int=0)
"""An id of no installation, so that nothing is changed and nothing is found."""
LONGEST_S: Final = 30.0
OFFERS: Final = "instance types"

log = structlog.get_logger()


async def check(make: Sequence[MakeProvider]) -> AsyncIterator[tuple[str, tuple[ProviderCheck, ...]]]:
    """Each provider's name, and its checks."""
    async with AsyncExitStack() as stack:
        for make_one in make:
            provider = await stack.enter_async_context(make_one(_NOBODY))
            yield provider.name, await checked(provider, provider.instance_types)


async def checked(
    provider: Provider, instance_types: Callable[[], Awaitable[tuple[InstanceType, ...]]]
) -> tuple[ProviderCheck, ...]:
    """The provider's own checks, and whether it offers anything. An error is an answer, too."""
    checks = await _answered("provider", provider.check)
    if any(check.outcome is CheckOutcome.FAILED for check in checks):
        return checks
    return (*checks, *await _answered(OFFERS, lambda: _offers(instance_types)))


async def _offers(
    instance_types: Callable[[], Awaitable[tuple[InstanceType, ...]]],
) -> tuple[ProviderCheck, ...]:
    offered = await instance_types()
    free = [kind for kind in offered if set(kind.zones) - _short(kind)]
    if not offered:
        return (ProviderCheck.failed(OFFERS, "nothing with a GPU is offered"),)
    detail = f"{len(offered)} with GPUs are offered, {len(free)} of them in stock"
    return (ProviderCheck.passed(OFFERS, detail) if free else ProviderCheck.limited(OFFERS, detail),)


def _short(kind: InstanceType) -> set[str]:
    return {zone for zone, availability in kind.availability.items() if availability == "shortage"}


async def _answered(subject: str, ask: Callable[[], Awaitable[tuple[ProviderCheck, ...]]]) -> tuple[ProviderCheck, ...]:
    try:
        async with asyncio.timeout(LONGEST_S):
            return await ask()
    except ProviderError as error:
        detail = error.message
    except TimeoutError:
        detail = f"no answer within {LONGEST_S:g} s"
    except Exception as error:
        log.exception("provider check failed unexpectedly", subject=subject)
        detail = f"the answer cannot be read: {type(error).__name__}"
    return (ProviderCheck.failed(subject, detail),)
